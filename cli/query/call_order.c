/* Functions that order values, or apply an expression to each. */

#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/query/call.h"

/* An element with what it is ordered by. */
struct pair {
	const cJSON *item, *key;
	size_t at;
};

static int compare_keys(const cJSON *a, const cJSON *b)
{
	if (cJSON_IsString(a))
		return strcmp(a->valuestring, b->valuestring);
	return (a->valuedouble > b->valuedouble) - (a->valuedouble < b->valuedouble);
}

/* Those that are equal keep their order. */
static int compare_pairs(const void *one, const void *other)
{
	const struct pair *a = one, *b = other;
	int order = compare_keys(a->key, b->key);
	return order ? order : (a->at > b->at) - (a->at < b->at);
}

/* The keys must be numbers, or strings, all of them. */
static bool check_key(struct run *run, const struct arguments *given, const cJSON *key,
		      const cJSON *first)
{
	if ((cJSON_IsNumber(key) || cJSON_IsString(key)) &&
	    (key->type & 0xff) == (first->type & 0xff))
		return true;
	failure_set(run->failure, STATUS_FAILED,
		    "JMESPath function '%s' cannot be applied: its keys must be all numbers or all "
		    "strings, and one is of type %s",
		    given->name, value_type(key));
	return false;
}

/* The elements of the array with their keys, to be freed; NULL with failure. */
static struct pair *pairs_of(struct run *run, const struct arguments *given, size_t *count)
{
	size_t size = (size_t)cJSON_GetArraySize(given->values[0]);
	struct pair *pairs = calloc(size + 1, sizeof(*pairs));
	*count = 0;
	if (!pairs) {
		failure_memory(run->failure);
		return NULL;
	}
	for (const cJSON *item = given->values[0]->child; item; item = item->next) {
		const cJSON *key =
			given->expression ? evaluate(run, given->expression, item) : item;
		if (!key || !check_key(run, given, key, *count ? pairs[0].key : key)) {
			free(pairs);
			return NULL;
		}
		pairs[*count] = (struct pair){item, key, *count};
		++*count;
	}
	return pairs;
}

static const cJSON *sorted(struct run *run, const struct arguments *given)
{
	size_t count;
	cleanup_free struct pair *pairs = pairs_of(run, given, &count);
	cJSON *array = pairs && run_spend(run, 16 * count) ? run_array(run) : NULL;
	if (!array)
		return NULL;
	qsort(pairs, count, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < count; i++)
		if (!run_append(run, array, pairs[i].item))
			return NULL;
	return array;
}

/* The first of those whose key is the largest, or with sign -1 the smallest; null: there is none.
 */
static const cJSON *extreme(struct run *run, const struct arguments *given, int sign)
{
	size_t count;
	cleanup_free struct pair *pairs = pairs_of(run, given, &count);
	if (!pairs)
		return NULL;
	const struct pair *best = pairs;
	for (size_t i = 1; i < count; i++)
		if (sign * compare_keys(pairs[i].key, best->key) > 0)
			best = &pairs[i];
	return count ? best->item : run_null(run);
}

CALL(sort)
{
	return sorted(run, given);
}

CALL(sort_by)
{
	return sorted(run, given);
}

CALL(max)
{
	return extreme(run, given, 1);
}

CALL(max_by)
{
	return extreme(run, given, 1);
}

CALL(min)
{
	return extreme(run, given, -1);
}

CALL(min_by)
{
	return extreme(run, given, -1);
}

CALL(map)
{
	cJSON *array = run_array(run);
	for (const cJSON *item = given->values[1]->child; array && item; item = item->next) {
		const cJSON *found = evaluate(run, given->expression, item);
		if (!found || !run_append(run, array, found))
			return NULL;
	}
	return array;
}
