#include <string.h>

#include "cli/query/function.h"
#include "cli/query/run.h"

#define ARGUMENTS_MAX 64 /* function_check() allows no more */

static const cJSON *field(struct run *run, const struct node *node, const cJSON *value)
{
	const cJSON *found = NULL;
	if (!run_spend(run, 1))
		return NULL;
	if (cJSON_IsObject(value))
		found = cJSON_GetObjectItemCaseSensitive(value, node->text);
	return found ? found : run_null(run);
}

static const cJSON *element(struct run *run, const struct node *node, const cJSON *value)
{
	long long at = node->number;
	if (!cJSON_IsArray(value))
		return run_null(run);
	long long size = cJSON_GetArraySize(value);
	if (!run_spend(run, (size_t)size / 16 + 1))
		return NULL;
	if (at < 0 && at >= -size)
		at += size;
	if (at < 0 || at >= size)
		return run_null(run);
	return cJSON_GetArrayItem(value, (int)at);
}

/* Where a slice begins or ends: counted from the end if negative, and within low and high. */
static long long clamp(long long at, long long size, long long low, long long high)
{
	if (at < 0)
		at = at < -size ? -1 : at + size;
	else if (at > size)
		at = size;
	return at < low ? low : at > high ? high : at;
}

static const cJSON *part(struct run *run, const struct node *node, const cJSON *value)
{
	if (!cJSON_IsArray(value))
		return run_null(run);
	long long size = cJSON_GetArraySize(value);
	bool back = node->step < 0;
	long long low = back ? -1 : 0, high = back ? size - 1 : size;
	long long start = node->has_start ? clamp(node->number, size, low, high)
			  : back          ? high
					  : low;
	long long end = node->has_end ? clamp(node->end, size, low, high) : back ? low : high;
	cJSON *array = run_array(run);
	if (!array || !run_spend(run, (size_t)size))
		return NULL;
	/* The list is linked, so it is walked once, in its own order. */
	long long step = node->step < -size ? -size - 1 : node->step > size ? size + 1 : node->step;
	long long first = start, last = end - 1;
	if (back) {
		long long count = start > end ? (start - end + -step - 1) / -step : 0;
		first = start + (count - 1) * step;
		last = count ? start : first - 1;
		step = -step;
	}
	long long at = 0;
	for (const cJSON *item = value->child; item; item = item->next, at++) {
		if (at < first || at > last || (at - first) % step)
			continue;
		if (!run_append(run, array, item))
			return NULL;
	}
	if (!back)
		return array;
	cJSON *turned = run_array(run);
	const cJSON *tail = array->child ? array->child->prev : NULL;
	for (; turned && tail; tail = tail == array->child ? NULL : tail->prev)
		if (!run_append(run, turned, tail))
			return NULL;
	return turned;
}

static bool append_flat(struct run *run, cJSON *array, const cJSON *item)
{
	if (!cJSON_IsArray(item))
		return run_append(run, array, item);
	for (const cJSON *inner = item->child; inner; inner = inner->next)
		if (!run_append(run, array, inner))
			return false;
	return true;
}

static const cJSON *flatten(struct run *run, const struct node *node, const cJSON *value)
{
	const cJSON *left = evaluate(run, node->left, value);
	if (!left || !cJSON_IsArray(left))
		return left ? run_null(run) : NULL;
	cJSON *array = run_array(run);
	for (const cJSON *item = left->child; array && item; item = item->next)
		if (!append_flat(run, array, item))
			return NULL;
	return array;
}

/* 1: the element meets the condition, or there is none; 0; -1: failed. */
static int meets(struct run *run, const struct node *condition, const cJSON *item)
{
	const cJSON *met = condition ? evaluate(run, condition, item) : NULL;
	if (condition && !met)
		return -1;
	return !condition || !value_is_false(met);
}

/* All projections: those elements for which right is null are left out. */
static const cJSON *project(struct run *run, const struct node *node, const cJSON *value)
{
	const cJSON *left = evaluate(run, node->left, value);
	bool right_kind = node->kind == NODE_VALUES ? cJSON_IsObject(left) : cJSON_IsArray(left);
	if (!left || !right_kind)
		return left ? run_null(run) : NULL;
	cJSON *array = run_array(run);
	for (const cJSON *item = left->child; array && item; item = item->next) {
		int met = meets(run, node->condition, item);
		const cJSON *found = met > 0 ? evaluate(run, node->right, item) : NULL;
		if (met < 0 || (met && !found))
			return NULL;
		if (met && !cJSON_IsNull(found) && !run_append(run, array, found))
			return NULL;
	}
	return array;
}

static bool in_order(enum token_kind compare, int difference)
{
	switch (compare) {
	case TOKEN_LT:
		return difference < 0;
	case TOKEN_LE:
		return difference <= 0;
	case TOKEN_GT:
		return difference > 0;
	default:
		return difference >= 0;
	}
}

static const cJSON *compare(struct run *run, const struct node *node, const cJSON *value)
{
	const cJSON *left = evaluate(run, node->left, value);
	const cJSON *right = left ? evaluate(run, node->right, value) : NULL;
	if (!right)
		return NULL;
	if (node->compare == TOKEN_EQ || node->compare == TOKEN_NE) {
		bool equal = value_equal(run, left, right);
		return run->failure->status ? NULL
					    : run_bool(run, equal == (node->compare == TOKEN_EQ));
	}
	if (cJSON_IsNumber(left) && cJSON_IsNumber(right)) {
		double a = left->valuedouble, b = right->valuedouble;
		return run_bool(run, in_order(node->compare, (a > b) - (a < b)));
	}
	if (cJSON_IsString(left) && cJSON_IsString(right)) {
		int order = strcmp(left->valuestring, right->valuestring);
		return run_bool(run, in_order(node->compare, order));
	}
	return run_null(run);
}

static const cJSON *either(struct run *run, const struct node *node, const cJSON *value)
{
	const cJSON *left = evaluate(run, node->left, value);
	if (!left || value_is_false(left) != (node->kind == NODE_OR))
		return left;
	return evaluate(run, node->right, value);
}

static const cJSON *negate(struct run *run, const struct node *node, const cJSON *value)
{
	const cJSON *left = evaluate(run, node->left, value);
	return left ? run_bool(run, value_is_false(left)) : NULL;
}

/* [a, b] and {a: b}. */
static const cJSON *collect(struct run *run, const struct node *node, const cJSON *value)
{
	bool list = node->kind == NODE_LIST;
	if (cJSON_IsNull(value))
		return run_null(run);
	cJSON *made = list ? run_array(run) : run_object(run);
	for (const struct node *item = node->items; made && item; item = item->next) {
		const cJSON *found = evaluate(run, item->left, value);
		if (!found ||
		    !(list ? run_append(run, made, found) : run_set(run, made, item->text, found)))
			return NULL;
	}
	return made;
}

static const cJSON *call(struct run *run, const struct node *node, const cJSON *value)
{
	const cJSON *values[ARGUMENTS_MAX] = {0};
	size_t count = 0;
	for (const struct node *item = node->items; item; item = item->next, count++) {
		if (item->kind == NODE_EXPREF)
			continue;
		values[count] = evaluate(run, item->left, value);
		if (!values[count])
			return NULL;
	}
	return function_call(run, node, values);
}

static const cJSON *then(struct run *run, const struct node *node, const cJSON *value)
{
	const cJSON *left = evaluate(run, node->left, value);
	return left ? evaluate(run, node->right, left) : NULL;
}

const cJSON *evaluate(struct run *run, const struct node *node, const cJSON *value)
{
	switch (node->kind) {
	case NODE_CURRENT:
		return value;
	case NODE_FIELD:
		return field(run, node, value);
	case NODE_LITERAL:
		return node->literal;
	case NODE_INDEX:
		return element(run, node, value);
	case NODE_SLICE:
		return part(run, node, value);
	case NODE_THEN:
		return then(run, node, value);
	case NODE_FLATTEN:
		return flatten(run, node, value);
	case NODE_PROJECT:
	case NODE_VALUES:
	case NODE_FILTER:
		return project(run, node, value);
	case NODE_COMPARE:
		return compare(run, node, value);
	case NODE_OR:
	case NODE_AND:
		return either(run, node, value);
	case NODE_NOT:
		return negate(run, node, value);
	case NODE_LIST:
	case NODE_HASH:
		return collect(run, node, value);
	case NODE_CALL:
		return call(run, node, value);
	default: /* a member or argument, by itself */
		return evaluate(run, node->left, value);
	}
}
