#ifndef GS_QUERY_FUNCTION_H
#define GS_QUERY_FUNCTION_H

/* The functions that an expression can call. */

#include "cli/query/node.h"
#include "cli/query/run.h"

/* NULL: there is none of that name. */
const struct function *function_find(const char *name);

/* Whether a call has as many arguments as its function takes, and expressions (&) where it takes
 * them. 0, or -1 with failure. */
int function_check(const struct node *call, struct failure *failure);

/* Call it with values[i] for each of its arguments; NULL for one that is an expression. */
const cJSON *function_call(struct run *run, const struct node *call, const cJSON *const *values);

#endif
