/* JMESPath: whatever the expression and the document, a search ends, with a result that can be
 * printed or a message. The input is the expression, a NUL, and the document. */

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cli/command/unix_lines.h"
#include "cli/query/query.h"
#include "cli/query/run.h"
#include "cli/service/json.h"

#define PRINTED_MAX 100000 /* more takes only time */

static void print(const cJSON *result)
{
	char *text = NULL;
	size_t len;
	const char *why = NULL;
	FILE *out = open_memstream(&text, &len);
	assert(out);
	json_print(result, true, out);
	fclose(out);
	cJSON *again = json_parse(text, len);
	assert(again);
	cJSON_Delete(again);
	free(text);
	out = open_memstream(&text, &len);
	assert(out);
	assert((unix_lines_print(result, out, &why) < 0) == (why != NULL));
	fclose(out);
	free(text);
}

static void search(const char *expression, const cJSON *document)
{
	struct failure failure = {0};
	struct query *query = query_create(expression, &failure);
	assert(query ? !failure.status : failure.status == STATUS_USAGE && failure.text);
	const cJSON *result = query ? query_search(query, document, &failure) : NULL;
	assert(!query || (result != NULL) == !failure.status);
	size_t left = PRINTED_MAX;
	if (result && value_fits(result, &left))
		print(result);
	query_destroy(query);
	failure_finish(&failure);
}

static const char usual[] = "{\"a\":[1,{\"b\":\"c\"},null],\"b\":{}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = strnlen((const char *)data, size);
	char *expression = strndup((const char *)data, len);
	cJSON *document =
		len < size ? json_parse((const char *)data + len + 1, size - len - 1) : NULL;
	assert(expression);
	if (!document)
		document = json_parse(usual, strlen(usual));
	assert(document);
	search(expression, document);
	json_wipe(document);
	free(expression);
	return 0;
}
