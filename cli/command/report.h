#ifndef GS_REPORT_H
#define GS_REPORT_H

/* How a run that failed ends: its exit status, and its message as JSON. */

#include "cli/base/options.h"
#include "cli/service/cli.h"

#define HTTP_STATUS_MIN 100
#define HTTP_STATUS_MAX 599

/* --map-http-status: the exit status for each HTTP status, or -1. */
struct status_map {
	signed char to[HTTP_STATUS_MAX + 1];
};

/* Read all that was given, "404=0,403=50". 0, or -1 with cli->failure (wrong usage). */
int status_map_init(struct status_map *map, struct cli *cli, const struct option_list *given);

/* The exit status of cli->failure. */
int status_map_apply(const struct status_map *map, const struct cli *cli);

/* Print cli->failure as one JSON document on stderr: the answer of the service, if that was the
 * reason and is a JSON object, with a member globus_streams; else an object of our own. */
void report_json(const struct cli *cli, int exit_status);

#endif
