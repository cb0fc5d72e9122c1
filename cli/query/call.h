#ifndef GS_QUERY_CALL_H
#define GS_QUERY_CALL_H

/* What each function does; the types of its arguments have been checked (function.c). */

#include "cli/query/run.h"

struct arguments {
	const char *name; /* of the function */
	const cJSON *const *values;
	size_t count;
	const struct node *expression; /* the one after & */
};

#define CALL(name) const cJSON *call_##name(struct run *run, const struct arguments *given)

/* call.c */
CALL(abs);
CALL(avg);
CALL(ceil);
CALL(contains);
CALL(ends_with);
CALL(floor);
CALL(join);
CALL(keys);
CALL(length);
CALL(merge);
CALL(not_null);
CALL(reverse);
CALL(starts_with);
CALL(sum);
CALL(to_array);
CALL(to_number);
CALL(to_string);
CALL(type);
CALL(values);

/* call_order.c */
CALL(map);
CALL(max);
CALL(max_by);
CALL(min);
CALL(min_by);
CALL(sort);
CALL(sort_by);

#endif
