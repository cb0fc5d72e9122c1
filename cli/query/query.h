#ifndef GS_QUERY_H
#define GS_QUERY_H

/* JMESPath (https://jmespath.org/specification.html) on JSON documents: the whole language, and the
 * functions of its first specification. Numbers are doubles. An expression, the work that it may
 * cause and its result are bounded. */

#include <cjson/cJSON.h>

#include "cli/base/failure.h"

#define QUERY_LENGTH_MAX 8192               /* bytes of an expression */
#define QUERY_DEPTH_MAX  100                /* parentheses, brackets, ... within each other */
#define QUERY_STEPS_MAX  20000000           /* values looked at or made by one search */
#define QUERY_TEXT_MAX   (16 * 1024 * 1024) /* bytes of a string that is made */
#define QUERY_RESULT_MAX (64 * 1024 * 1024) /* bytes of a result, about as much as is printed */

struct query;

/* Read an expression, to be destroyed. NULL with failure: wrong usage, also where a function is
 * not supported or is given too few or too many arguments. */
struct query *query_create(const char *expression, struct failure *failure);
void query_destroy(struct query *query);

/* The result for a document, which stays unchanged. It belongs to query and refers to the document:
 * use it before the next search, before query_destroy() and before the document is deleted. NULL
 * with failure: a function got a value of the wrong type, or the search took too much. */
const cJSON *query_search(struct query *query, const cJSON *document, struct failure *failure);

#endif
