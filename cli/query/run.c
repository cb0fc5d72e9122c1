#include "cli/query/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/query/query.h"

#define ITEM_STEPS 16 /* what takes memory counts for more than what is looked at */

void run_init(struct run *run, struct failure *failure)
{
	*run = (struct run){.failure = failure, .steps = QUERY_STEPS_MAX};
}

void run_finish(struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		cJSON_Delete(run->made[i]);
	free(run->made);
	*run = (struct run){0};
}

bool run_spend(struct run *run, size_t steps)
{
	if (run->steps >= 0 && (unsigned long long)run->steps >= steps) {
		run->steps -= (long long)steps;
		return true;
	}
	run->steps = 0;
	run_too_much(run);
	return false;
}

const cJSON *run_too_much(struct run *run)
{
	failure_set(run->failure, STATUS_FAILED,
		    "the JMESPath expression takes too long or its result is too large; select "
		    "less of the document");
	return NULL;
}

cJSON *run_keep(struct run *run, cJSON *item)
{
	if (item && run->count == run->room) {
		size_t room = run->room ? 2 * run->room : 64;
		cJSON **made = realloc(run->made, room * sizeof(cJSON *));
		if (!made) {
			cJSON_Delete(item);
			item = NULL;
		} else {
			run->made = made;
			run->room = room;
		}
	}
	if (!item) {
		failure_memory(run->failure);
		return NULL;
	}
	run->made[run->count++] = item;
	return run_spend(run, ITEM_STEPS) ? item : NULL;
}

const cJSON *run_null(struct run *run)
{
	static const cJSON null = {.type = cJSON_NULL};
	return run_spend(run, 1) ? &null : NULL;
}

const cJSON *run_bool(struct run *run, bool value)
{
	static const cJSON yes = {.type = cJSON_True}, no = {.type = cJSON_False};
	return run_spend(run, 1) ? (value ? &yes : &no) : NULL;
}

const cJSON *run_number(struct run *run, double value)
{
	/* JSON has no infinity. */
	return isfinite(value) ? run_keep(run, cJSON_CreateNumber(value)) : run_null(run);
}

const cJSON *run_text(struct run *run, const char *text)
{
	size_t len = strlen(text);
	if (len > QUERY_TEXT_MAX)
		return run_too_much(run);
	if (!run_spend(run, len / 16))
		return NULL;
	return run_keep(run, cJSON_CreateString(text));
}

cJSON *run_array(struct run *run)
{
	return run_keep(run, cJSON_CreateArray());
}

cJSON *run_object(struct run *run)
{
	return run_keep(run, cJSON_CreateObject());
}

bool run_append(struct run *run, cJSON *array, const cJSON *value)
{
	if (!run_spend(run, ITEM_STEPS))
		return false;
	if (cJSON_AddItemReferenceToArray(array, (cJSON *)value))
		return true;
	failure_memory(run->failure);
	return false;
}

bool run_set(struct run *run, cJSON *object, const char *name, const cJSON *value)
{
	cJSON *old = cJSON_GetObjectItemCaseSensitive(object, name);
	/* As in the languages of the other implementations, a member keeps its first place. */
	if (!run_spend(run, ITEM_STEPS + (size_t)cJSON_GetArraySize(object)))
		return false;
	cJSON *reference = old ? cJSON_CreateNull() : NULL;
	if (old && reference) {
		char *key = strdup(name);
		*reference = *value;
		reference->next = reference->prev = NULL;
		reference->type |= cJSON_IsReference;
		reference->type &= ~cJSON_StringIsConst;
		reference->string = key;
		if (key && cJSON_ReplaceItemViaPointer(object, old, reference))
			return true;
		cJSON_Delete(reference);
	} else if (!old && cJSON_AddItemReferenceToObject(object, name, (cJSON *)value)) {
		return true;
	}
	failure_memory(run->failure);
	return false;
}

bool value_is_false(const cJSON *value)
{
	if (cJSON_IsString(value))
		return !*value->valuestring;
	if (cJSON_IsArray(value) || cJSON_IsObject(value))
		return !value->child;
	return cJSON_IsNull(value) || cJSON_IsFalse(value);
}

static bool equal_arrays(struct run *run, const cJSON *one, const cJSON *other)
{
	const cJSON *a = one->child, *b = other->child;
	for (; a && b; a = a->next, b = b->next)
		if (!value_equal(run, a, b))
			return false;
	return !a && !b;
}

static bool equal_objects(struct run *run, const cJSON *one, const cJSON *other)
{
	size_t size = (size_t)cJSON_GetArraySize(one);
	if (size != (size_t)cJSON_GetArraySize(other) || !run_spend(run, size * size / 4))
		return false;
	for (const cJSON *a = one->child; a; a = a->next) {
		const cJSON *b = cJSON_GetObjectItemCaseSensitive(other, a->string);
		if (!b || !value_equal(run, a, b))
			return false;
	}
	return true;
}

bool value_equal(struct run *run, const cJSON *one, const cJSON *other)
{
	int type = one->type & 0xff;
	if (!run_spend(run, 1) || type != (other->type & 0xff))
		return false;
	switch (type) {
	case cJSON_Number:
		return one->valuedouble == other->valuedouble;
	case cJSON_String:
		return strcmp(one->valuestring, other->valuestring) == 0;
	case cJSON_Array:
		return equal_arrays(run, one, other);
	case cJSON_Object:
		return equal_objects(run, one, other);
	default:
		return true;
	}
}

const char *value_type(const cJSON *value)
{
	switch (value->type & 0xff) {
	case cJSON_Number:
		return "number";
	case cJSON_String:
		return "string";
	case cJSON_Array:
		return "array";
	case cJSON_Object:
		return "object";
	case cJSON_NULL:
		return "null";
	default:
		return "boolean";
	}
}

/* depth: how much is around it, which indents it. */
static bool fits(const cJSON *value, size_t depth, size_t *left)
{
	size_t size = 8 + 2 * depth;
	if (value->string)
		size += strlen(value->string);
	if (cJSON_IsString(value))
		size += strlen(value->valuestring);
	if (size > *left)
		return false;
	*left -= size;
	for (const cJSON *item = value->child; item; item = item->next)
		if (!fits(item, depth + 1, left))
			return false;
	return true;
}

bool value_fits(const cJSON *value, size_t *left)
{
	return fits(value, 0, left);
}
