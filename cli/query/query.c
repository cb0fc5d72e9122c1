#include "cli/query/query.h"

#include <stdlib.h>
#include <string.h>

#include "cli/query/lexer.h"
#include "cli/query/node.h"
#include "cli/query/run.h"

struct query {
	char *expression;
	struct lexer lexer;
	struct parser parser;
	struct node *root;
	struct run run;
};

static int compile(struct query *query, const char *expression, struct failure *failure)
{
	if (strlen(expression) > QUERY_LENGTH_MAX)
		return failure_set(
			failure, STATUS_USAGE,
			"the JMESPath expression is longer than %d bytes; use a shorter one",
			QUERY_LENGTH_MAX);
	query->expression = strdup(expression);
	if (!query->expression)
		return failure_memory(failure);
	if (lexer_run(&query->lexer, query->expression, failure) < 0)
		return -1;
	query->root = parser_run(&query->parser, &query->lexer, failure);
	return query->root ? 0 : -1;
}

struct query *query_create(const char *expression, struct failure *failure)
{
	struct query *query = calloc(1, sizeof(*query));
	if (!query) {
		failure_memory(failure);
		return NULL;
	}
	if (compile(query, expression, failure) < 0) {
		query_destroy(query);
		return NULL;
	}
	return query;
}

void query_destroy(struct query *query)
{
	if (!query)
		return;
	run_finish(&query->run);
	parser_finish(&query->parser);
	lexer_finish(&query->lexer);
	free(query->expression);
	free(query);
}

const cJSON *query_search(struct query *query, const cJSON *document, struct failure *failure)
{
	size_t left = QUERY_RESULT_MAX;
	run_finish(&query->run);
	run_init(&query->run, failure);
	const cJSON *result = evaluate(&query->run, query->root, document);
	if (result && !value_fits(result, &left))
		return run_too_much(&query->run);
	return result;
}
