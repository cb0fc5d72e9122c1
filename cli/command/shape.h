#ifndef GS_SHAPE_H
#define GS_SHAPE_H

/* The shape of what goes to stdout: --format, and --jq or --jmespath. */

#include "cli/base/options.h"
#include "cli/query/query.h"
#include "cli/service/cli.h"

struct shape {
	bool unix_lines;
	struct query *query; /* NULL: the whole document */
};

/* What --format (NULL: not given) and the expressions mean: sets cli->json and cli->json_errors,
 * and from then on output_json() prints so; shape must stay until the end of the run. 0, or -1 with
 * cli->failure (wrong usage). */
int shape_init(struct shape *shape, struct cli *cli, const char *format,
	       const struct option_list *expressions);
void shape_finish(struct shape *shape);

#endif
