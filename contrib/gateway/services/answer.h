#ifndef GW_ANSWER_H
#define GW_ANSWER_H

/* Answers, in the shape that each service gives them. */

#include "contrib/gateway/services/request.h"

/* The json is the answer's. */
struct answer answer_json(unsigned int status, cJSON *json);
struct answer answer_text(unsigned int status, const char *text);
struct answer answer_redirect(const char *location);

/* An error of the request's service. code: in the words of JSON:API ("NotFound"). */
struct answer answer_error(const struct request *request, unsigned int status, const char *code,
			   const char *message);

/* The token of the request does not carry this scope: 403, with what a new login must ask for. */
struct answer answer_scope_missing(const struct request *request, const char *scope);

/* {"data": …, "meta": {"request_id": …}}; data is the answer's. */
struct answer answer_data(unsigned int status, cJSON *data);

/* An envelope of the GCS Manager; data, one item or NULL, is the answer's. */
struct answer answer_envelope(unsigned int status, const char *code, const char *message,
			      cJSON *data);

/* Free what the answer owns. */
void answer_finish(struct answer *answer);

#endif
