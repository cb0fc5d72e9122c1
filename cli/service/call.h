#ifndef GS_CALL_H
#define GS_CALL_H

/* One call of a service's JSON interface, with a token that is renewed once on 401, and messages
 * for failures. */

#include <cjson/cJSON.h>

#include "cli/service/cli.h"

struct call {
	const char *service;        /* for messages: "Transfer" */
	const char *server, *scope; /* scope: NULL: without a token */
	const char *method;
	const char *what; /* what it is about: "tunnel 0e8a675b-…" */
	const char *next; /* what to do if it does not exist (404); NULL: nothing */
	const char *url;
	const cJSON *body; /* NULL: none */
	const char
		*wrong; /* what to do if it is refused as wrong (400, 415, 422); NULL: the usual */
};

/* Make the call. *answer is the JSON object of a 2xx; json_wipe() or cJSON_Delete() it. (NULL
 * only if the answer to a DELETE was empty.) 0, or -1 with cli->failure, whose http is the
 * status. */
int call_json(struct cli *cli, const struct call *call, cJSON **answer);

/* failure: the answer to a call is JSON, but has no valid field of that name. Always -1. */
int call_lacks(struct cli *cli, const char *service, const char *what, const char *field);

#endif
