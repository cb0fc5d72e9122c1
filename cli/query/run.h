#ifndef GS_QUERY_RUN_H
#define GS_QUERY_RUN_H

/* One search: what it made, and how much it may still do. Values are cJSON items that nobody
 * changes; those made here are kept until the end of the run, and refer to others instead of
 * copying them. A function that fails gives NULL, with run->failure. */

#include <stdbool.h>
#include <stddef.h>

#include "cli/query/node.h"

struct run {
	struct failure *failure;
	long long steps; /* left */
	cJSON **made;
	size_t count, room;
};

void run_init(struct run *run, struct failure *failure);
void run_finish(struct run *run);

/* Take so many steps: false, with failure, if there are not as many left. */
bool run_spend(struct run *run, size_t steps);

/* Fail as it does. Always NULL. */
const cJSON *run_too_much(struct run *run);

/* Keep an item that was made until the end; NULL: there was no memory for it. */
cJSON *run_keep(struct run *run, cJSON *item);

const cJSON *run_null(struct run *run);
const cJSON *run_bool(struct run *run, bool value);
const cJSON *run_number(struct run *run, double value);
const cJSON *run_text(struct run *run, const char *text);
cJSON *run_array(struct run *run);
cJSON *run_object(struct run *run);

/* Add a reference to value. false with failure. */
bool run_append(struct run *run, cJSON *array, const cJSON *value);
bool run_set(struct run *run, cJSON *object, const char *name, const cJSON *value);

/* What the language takes for false: null, false, "", [] and {}. */
bool value_is_false(const cJSON *value);

/* Whether two values are equal; false, too, with failure, if that takes too many steps. */
bool value_equal(struct run *run, const cJSON *one, const cJSON *other);

/* "string", "number", ... */
const char *value_type(const cJSON *value);

/* Take a value's size, about that of its text, from what is left; false: it is larger. What is
 * referred to several times counts as often. */
bool value_fits(const cJSON *value, size_t *left);

/* What right gives for a value: evaluate.c. */
const cJSON *evaluate(struct run *run, const struct node *node, const cJSON *value);

#endif
