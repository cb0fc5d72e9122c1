/* The token cache: whatever list it holds, what is put into it is found again, and taken out. */

#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "cli/base/failure.h"
#include "cli/service/json.h"
#include "cli/service/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct token_name name = {
		.server = "s", .issuer = "i", .client = "c", .login = true};
	struct failure failure = {0};
	struct token token = {0}, found;
	cJSON *list = json_parse((const char *)data, size);
	if (!cJSON_IsArray(list)) {
		json_wipe(list);
		return 0;
	}
	tokens_find(list, &name, &found);
	token.access = "a";
	token.refresh = "r";
	token.scope = "x";
	assert(tokens_set(list, &name, &token, &failure) == 0);
	assert(tokens_find(list, &name, &found) == 0 && strcmp(found.access, "a") == 0);
	json_wipe(tokens_take(list, name.issuer, name.client, name.login));
	assert(tokens_find(list, &name, &found) < 0);
	json_wipe(list);
	return 0;
}
