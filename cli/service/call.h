#ifndef GS_CALL_H
#define GS_CALL_H

/* One call of a service's JSON interface, with a token: renewed once on 401, faults put in words.
 */

#include <cjson/cJSON.h>

#include "cli/service/cli.h"

struct call {
	const char *service;        /* for messages: "Transfer" */
	const char *server, *scope; /* scope: NULL: without a token */
	const char *method;
	const char *what; /* what it is about: "tunnel 0e8a675b-…" */
	const char *next; /* what to do where it is not there (404); NULL: nothing */
	const char *url;
	const cJSON *body; /* NULL: none */
};

/* Make the call. *answer is the JSON that a 2xx came with, an object; json_wipe() or cJSON_Delete()
 * it. (NULL only where a DELETE was answered with nothing.) 0, or -1 with cli->failure, whose http
 * is the status. */
int call_json(struct cli *cli, const struct call *call, cJSON **answer);

/* failure: the answer to a call is JSON, but lacks a proper field. Always -1. */
int call_lacks(struct cli *cli, const char *service, const char *what, const char *field);

#endif
