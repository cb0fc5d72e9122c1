/*
 * The functions, each with the types that its arguments may have. A type is a letter: s string, n
 * number, b boolean, a array, o object, * any, & an expression; N and S are arrays of numbers and
 * of strings.
 */

#include "cli/query/function.h"

#include <math.h>
#include <string.h>

#include "cli/query/call.h"

#define ARGUMENTS_MAX 64
#define TYPES_MAX     3

struct function {
	const char *name;
	const char *types[TYPES_MAX]; /* of each argument; the last may be repeated if many */
	bool many;
	const cJSON *(*run)(struct run *run, const struct arguments *given);
};

static const struct function functions[] = {
	{"abs", {"n"}, false, call_abs},
	{"avg", {"N"}, false, call_avg},
	{"ceil", {"n"}, false, call_ceil},
	{"contains", {"as", "*"}, false, call_contains},
	{"ends_with", {"s", "s"}, false, call_ends_with},
	{"floor", {"n"}, false, call_floor},
	{"join", {"s", "S"}, false, call_join},
	{"keys", {"o"}, false, call_keys},
	{"length", {"sao"}, false, call_length},
	{"map", {"&", "a"}, false, call_map},
	{"max", {"NS"}, false, call_max},
	{"max_by", {"a", "&"}, false, call_max_by},
	{"merge", {"o"}, true, call_merge},
	{"min", {"NS"}, false, call_min},
	{"min_by", {"a", "&"}, false, call_min_by},
	{"not_null", {"*"}, true, call_not_null},
	{"reverse", {"sa"}, false, call_reverse},
	{"sort", {"NS"}, false, call_sort},
	{"sort_by", {"a", "&"}, false, call_sort_by},
	{"starts_with", {"s", "s"}, false, call_starts_with},
	{"sum", {"N"}, false, call_sum},
	{"to_array", {"*"}, false, call_to_array},
	{"to_number", {"*"}, false, call_to_number},
	{"to_string", {"*"}, false, call_to_string},
	{"type", {"*"}, false, call_type},
	{"values", {"o"}, false, call_values},
};

const struct function *function_find(const char *name)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (strcmp(functions[i].name, name) == 0)
			return &functions[i];
	return NULL;
}

static size_t count_of(const struct function *function)
{
	size_t count = 0;
	while (count < TYPES_MAX && function->types[count])
		count++;
	return count;
}

static const char *types_of(const struct function *function, size_t at)
{
	size_t count = count_of(function);
	return function->types[at < count ? at : count - 1];
}

int function_check(const struct node *call, struct failure *failure)
{
	const struct function *function = call->function;
	size_t needed = count_of(function), given = 0;
	for (const struct node *item = call->items; item; item = item->next)
		given++;
	if (given < needed || given > (function->many ? ARGUMENTS_MAX : needed))
		return failure_set(failure, STATUS_USAGE,
				   "JMESPath function '%s' takes %zu argument%s%s, not %zu",
				   function->name, needed, needed == 1 ? "" : "s",
				   function->many ? " or more" : "", given);
	size_t at = 0;
	for (const struct node *item = call->items; item; item = item->next, at++)
		if ((item->kind == NODE_EXPREF) != (*types_of(function, at) == '&'))
			return failure_set(
				failure, STATUS_USAGE, "argument %zu of JMESPath function '%s' %s",
				at + 1, function->name,
				item->kind == NODE_EXPREF ? "is a value, without &"
							  : "is an expression; write & before it");
	return 0;
}

static bool all_are(const cJSON *array, int type)
{
	for (const cJSON *item = array->child; item; item = item->next)
		if ((item->type & 0xff) != type)
			return false;
	return true;
}

static bool has_type(const cJSON *value, char type)
{
	switch (type) {
	case 's':
		return cJSON_IsString(value);
	case 'n':
		return cJSON_IsNumber(value);
	case 'b':
		return cJSON_IsBool(value);
	case 'a':
		return cJSON_IsArray(value);
	case 'o':
		return cJSON_IsObject(value);
	case 'N':
		return cJSON_IsArray(value) && all_are(value, cJSON_Number);
	case 'S':
		return cJSON_IsArray(value) && all_are(value, cJSON_String);
	default:
		return true;
	}
}

static const char *name_of(char type)
{
	switch (type) {
	case 's':
		return "string";
	case 'n':
		return "number";
	case 'a':
		return "array";
	case 'o':
		return "object";
	case 'N':
		return "array of numbers";
	default:
		return "array of strings";
	}
}

static bool check_type(struct run *run, const struct function *function, size_t at,
		       const cJSON *value)
{
	const char *types = types_of(function, at);
	if (*types == '&' ||
	    !run_spend(run, cJSON_IsArray(value) ? (size_t)cJSON_GetArraySize(value) : 1))
		return *types == '&';
	for (const char *type = types; *type; type++)
		if (has_type(value, *type))
			return true;
	char wanted[80] = "";
	for (const char *type = types; *type; type++) {
		strcat(wanted, type == types ? "" : " or ");
		strcat(wanted, name_of(*type));
	}
	failure_set(
		run->failure, STATUS_FAILED,
		"JMESPath function '%s' cannot be applied: argument %zu is of type %s%s, not %s",
		function->name, at + 1, value_type(value),
		cJSON_IsArray(value) && *types != 's' ? " with other elements" : "", wanted);
	return false;
}

const cJSON *function_call(struct run *run, const struct node *call, const cJSON *const *values)
{
	struct arguments given = {.values = values};
	for (const struct node *item = call->items; item; item = item->next, given.count++) {
		if (item->kind == NODE_EXPREF)
			given.expression = item->left;
		else if (!check_type(run, call->function, given.count, values[given.count]))
			return NULL;
	}
	given.name = call->function->name;
	/* cppcheck-suppress returnDanglingLifetime ; the result does not point to what is given */
	return call->function->run(run, &given);
}
