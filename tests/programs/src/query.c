/* JMESPath for a test: each line of stdin is {"document": ..., "expression": "..."}; a line of
 * stdout answers it, {"result": ...} or {"status": N, "message": "..."}. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/query/query.h"
#include "cli/service/json.h"

static cJSON *answer(const char *expression, const cJSON *document)
{
	struct failure failure = {0};
	cJSON *object = cJSON_CreateObject();
	struct query *query = query_create(expression, &failure);
	const cJSON *result = query ? query_search(query, document, &failure) : NULL;
	if (result) {
		cJSON_AddItemToObject(object, "result", cJSON_Duplicate(result, true));
	} else {
		cJSON_AddNumberToObject(object, "status", failure.status);
		cJSON_AddStringToObject(object, "message", failure.text ? failure.text : "");
	}
	query_destroy(query);
	failure_finish(&failure);
	return object;
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	while ((len = getline(&line, &room, stdin)) > 0) {
		cJSON *question = json_parse(line, (size_t)len);
		const char *expression = json_text(question, "expression");
		if (!expression)
			return 1;
		cJSON *object =
			answer(expression, cJSON_GetObjectItemCaseSensitive(question, "document"));
		json_print(object, false, stdout);
		putchar('\n');
		fflush(stdout);
		cJSON_Delete(object);
		cJSON_Delete(question);
	}
	free(line);
	return 0;
}
