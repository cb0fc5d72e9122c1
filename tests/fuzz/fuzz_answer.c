/* JSON documents of services: whatever they hold, they are read without harm. */

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "cli/service/answer.h"
#include "cli/service/json.h"

struct fields {
	const char *text, *uuid;
	int64_t integer, port;
	bool boolean;
	const cJSON *object, *array;
};

static const struct json_field table[] = {
	{"data.attributes.label", JSON_TEXT, false, offsetof(struct fields, text)},
	{"data.id", JSON_UUID, false, offsetof(struct fields, uuid)},
	{"expires_in", JSON_INTEGER, false, offsetof(struct fields, integer)},
	{"port", JSON_PORT, false, offsetof(struct fields, port)},
	{"ok", JSON_BOOLEAN, false, offsetof(struct fields, boolean)},
	{"data.attributes", JSON_OBJECT, false, offsetof(struct fields, object)},
	{"errors", JSON_ARRAY, false, offsetof(struct fields, array)},
};

/* What is printed is JSON again, free of what terminals take for commands. */
static void check_printed(const cJSON *document)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert(out);
	json_print(document, true, out);
	fclose(out);
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)text[i] >= ' ' || text[i] == '\n');
	cJSON *again = json_parse(text, len);
	assert(again);
	cJSON_Delete(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fields fields = {0};
	struct demands demands = {0};
	const char *at = NULL;
	cJSON *document = json_parse((const char *)data, size);
	if (!document)
		return 0;
	if (json_read(document, table, sizeof(table) / sizeof(*table), &fields, &at) < 0)
		assert(at);
	assert(fields.port >= 0 && fields.port <= 65535);
	json_text(document, "data.attributes.state");
	check_printed(document);
	free(answer_message(document));
	answer_demands(document, &demands);
	demands_finish(&demands);
	json_wipe(document);
	return 0;
}
