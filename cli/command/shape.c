#include "cli/command/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/base/cleanup.h"
#include "cli/base/text.h"
#include "cli/command/unix_lines.h"
#include "cli/service/json.h"
#include "cli/service/output.h"

/* In memory first: a document that has no lines prints none. */
static int print_unix(const cJSON *document, struct failure *failure)
{
	char *text = NULL;
	size_t len = 0;
	const char *why;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return failure_memory(failure);
	int err = unix_lines_print(document, out, &why);
	bool whole = fclose(out) == 0;
	if (err)
		failure_set(failure, STATUS_USAGE,
			    "--format unix cannot print this result: %s; select what to print "
			    "with --jq, or use --format json",
			    why);
	else if (!whole)
		err = failure_memory(failure);
	else
		fwrite(text, 1, len, stdout);
	free(text);
	return err;
}

static int print(const cJSON *document, bool pretty, void *user, struct failure *failure)
{
	const struct shape *shape = user;
	if (shape->query)
		document = query_search(shape->query, document, failure);
	if (!document)
		return -1;
	if (shape->unix_lines)
		return print_unix(document, failure);
	json_print(document, pretty, stdout);
	putchar('\n');
	return 0;
}

static int take_format(struct shape *shape, struct cli *cli, const char *format)
{
	if (!format || strcasecmp(format, "text") == 0)
		return 0;
	shape->unix_lines = strcasecmp(format, "unix") == 0;
	if (!shape->unix_lines && strcasecmp(format, "json") != 0)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "--format takes text, json or unix, not '" TEXT_WORD "'",
				   format);
	cli->json = true;
	return 0;
}

int shape_init(struct shape *shape, struct cli *cli, const char *format,
	       const struct option_list *expressions)
{
	*shape = (struct shape){0};
	int err = take_format(shape, cli, format);
	if (expressions->count)
		cli->json = true;
	cli->json_errors = cli->json && !shape->unix_lines;
	output_as(print, shape);
	if (err)
		return err;
	if (expressions->count > 1)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "--jq (or --jmespath) can be given only once");
	if (!expressions->count)
		return 0;
	shape->query = query_create(expressions->items[0], &cli->failure);
	return shape->query ? 0 : -1;
}

void shape_finish(struct shape *shape)
{
	output_as(NULL, NULL);
	query_destroy(shape->query);
	*shape = (struct shape){0};
}
