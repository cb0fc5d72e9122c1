#ifndef GW_BODY_H
#define GW_BODY_H

/*
 * The JSON body of a request, read field by field. What is wrong with it is collected, in the words
 * of a 422 answer, so that a client is told everything at once. Unknown fields are let be.
 *
 * A path names a field from the top: "data/attributes/label". A value of null counts as absent.
 */

#include "contrib/gateway/services/request.h"

enum need { OPTIONAL, REQUIRED };

struct body {
	cJSON *json;
	cJSON *errors; /* an array */
};

/* Parse; a body that is no JSON object has one error. */
void body_init(struct body *body, const struct request *request);
void body_finish(struct body *body);

/* Each returns true when the field is there and right. Else it is left as it was, and there is an
 * error unless it is optional and absent. */
bool body_text(struct body *body, const char *path, enum need need, size_t max, const char **text);
bool body_uuid(struct body *body, const char *path, enum need need, uuid_text id);
bool body_bool(struct body *body, const char *path, enum need need, bool *value);

/* A whole number; digits in a string count as one, as they do at Globus. */
bool body_number(struct body *body, const char *path, enum need need, int64_t min, int64_t max,
		 int64_t *number);

/* The field has to be that very text. */
void body_constant(struct body *body, const char *path, const char *text);

/* There is something wrong with a field that looked right. type: "value_error", say. */
void body_error(struct body *body, const char *path, const char *type, const char *message);

bool body_failed(const struct body *body);

/* 422 with all that was wrong. */
struct answer body_answer(struct body *body);

/* 422 for something that is not in the body: where is "path" or "query". */
struct answer body_answer_elsewhere(const char *where, const char *name, const char *type,
				    const char *message);

#endif
