#ifndef GS_ANSWER_H
#define GS_ANSWER_H

/* The contents of a service's error answer, in any form that Globus services use: JSON:API
 * {"errors":[{code,title,detail}]}, {"detail":[{loc,msg,type}]}, {code,message,request_id} (GCS
 * Manager too), OAuth's {error,error_description}. */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* The message in a sentence of at most 600 bytes, or NULL: none found. Free it. */
char *answer_message(const cJSON *answer);

/* Whether the errors of a JSON:API answer say that an endpoint is at fault, and not the service
 * that answers: then the service asks for no retry. */
bool answer_blames_endpoint(const cJSON *answer);

/* What a new login must ask for, comma separated lists of at most 2000 bytes; NULL: not asked for.
 * Owned. */
struct demands {
	bool any;
	char *message;
	char *scopes; /* separated by spaces */
	char *identities, *policies, *domains, *prompt;
	bool mfa;
};

/* Find authorization_parameters, a ConsentRequired in any of their shapes, or what a GCS Manager
 * says in place of them. */
void answer_demands(const cJSON *answer, struct demands *demands);
void demands_finish(struct demands *demands);

#endif
