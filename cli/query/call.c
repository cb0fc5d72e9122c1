#include "cli/query/call.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/text.h"
#include "cli/query/number.h"
#include "cli/query/query.h"
#include "cli/service/json.h"

static double number(const struct arguments *given)
{
	return given->values[0]->valuedouble;
}

static const char *text(const struct arguments *given, size_t at)
{
	return given->values[at]->valuestring;
}

CALL(abs)
{
	return run_number(run, fabs(number(given)));
}

CALL(ceil)
{
	return run_number(run, ceil(number(given)));
}

CALL(floor)
{
	return run_number(run, floor(number(given)));
}

static double total(const cJSON *array)
{
	double sum = 0;
	for (const cJSON *item = array->child; item; item = item->next)
		sum += item->valuedouble;
	return sum;
}

CALL(sum)
{
	return run_number(run, total(given->values[0]));
}

CALL(avg)
{
	const cJSON *array = given->values[0];
	if (!array->child)
		return run_null(run);
	return run_number(run, total(array) / cJSON_GetArraySize(array));
}

CALL(contains)
{
	const cJSON *in = given->values[0], *wanted = given->values[1];
	if (cJSON_IsString(in))
		return run_bool(run, cJSON_IsString(wanted) &&
					     strstr(in->valuestring, wanted->valuestring));
	for (const cJSON *item = in->child; item; item = item->next) {
		bool equal = value_equal(run, item, wanted);
		if (run->failure->status)
			return NULL;
		if (equal)
			return run_bool(run, true);
	}
	return run_bool(run, false);
}

CALL(starts_with)
{
	return run_bool(run, strncmp(text(given, 0), text(given, 1), strlen(text(given, 1))) == 0);
}

CALL(ends_with)
{
	size_t len = strlen(text(given, 0)), end = strlen(text(given, 1));
	return run_bool(run, end <= len && strcmp(text(given, 0) + len - end, text(given, 1)) == 0);
}

CALL(join)
{
	const char *between = text(given, 0);
	size_t len = 0;
	for (const cJSON *item = given->values[1]->child; item; item = item->next) {
		len += strlen(item->valuestring) + strlen(between);
		if (len > QUERY_TEXT_MAX)
			return run_too_much(run);
	}
	cleanup_free char *joined = malloc(len + 1);
	char *end = joined;
	if (!joined) {
		failure_memory(run->failure);
		return NULL;
	}
	*joined = '\0';
	for (const cJSON *item = given->values[1]->child; item; item = item->next) {
		end = stpcpy(end, item->valuestring);
		if (item->next)
			end = stpcpy(end, between);
	}
	return run_text(run, joined);
}

CALL(keys)
{
	cJSON *array = run_array(run);
	for (const cJSON *item = given->values[0]->child; array && item; item = item->next) {
		const cJSON *name = run_text(run, item->string);
		if (!name || !run_append(run, array, name))
			return NULL;
	}
	return array;
}

CALL(values)
{
	cJSON *array = run_array(run);
	for (const cJSON *item = given->values[0]->child; array && item; item = item->next)
		if (!run_append(run, array, item))
			return NULL;
	return array;
}

CALL(length)
{
	const cJSON *value = given->values[0];
	if (!cJSON_IsString(value))
		return run_number(run, cJSON_GetArraySize(value));
	size_t count = 0;
	for (const char *at = value->valuestring; *at; count++)
		text_next(&at);
	return run_number(run, (double)count);
}

CALL(merge)
{
	cJSON *object = run_object(run);
	for (size_t i = 0; object && i < given->count; i++)
		for (const cJSON *item = given->values[i]->child; item; item = item->next)
			if (!run_set(run, object, item->string, item))
				return NULL;
	return object;
}

CALL(not_null)
{
	for (size_t i = 0; i < given->count; i++)
		if (!cJSON_IsNull(given->values[i]))
			return given->values[i];
	return run_null(run);
}

static const cJSON *reverse_text(struct run *run, const char *from)
{
	size_t len = strlen(from);
	cleanup_free char *turned = malloc(len + 1);
	if (!turned) {
		failure_memory(run->failure);
		return NULL;
	}
	char *to = turned + len;
	*to = '\0';
	while (*from) {
		const char *character = from;
		text_next(&from);
		to -= from - character;
		memcpy(to, character, (size_t)(from - character));
	}
	return run_text(run, turned);
}

CALL(reverse)
{
	const cJSON *value = given->values[0];
	if (cJSON_IsString(value))
		return reverse_text(run, value->valuestring);
	cJSON *array = run_array(run);
	const cJSON *item = value->child ? value->child->prev : NULL;
	for (; array && item; item = item == value->child ? NULL : item->prev)
		if (!run_append(run, array, item))
			return NULL;
	return array;
}

CALL(to_array)
{
	if (cJSON_IsArray(given->values[0]))
		return given->values[0];
	cJSON *array = run_array(run);
	return array && run_append(run, array, given->values[0]) ? array : NULL;
}

CALL(to_number)
{
	const cJSON *value = given->values[0];
	if (cJSON_IsNumber(value))
		return value;
	if (!cJSON_IsString(value) || !number_is_json(value->valuestring))
		return run_null(run);
	return run_number(run, strtod(value->valuestring, NULL));
}

CALL(to_string)
{
	const cJSON *value = given->values[0];
	char *printed = NULL;
	size_t len = 0, left = QUERY_TEXT_MAX;
	if (cJSON_IsString(value))
		return value;
	if (!value_fits(value, &left))
		return run_too_much(run);
	FILE *out = open_memstream(&printed, &len);
	if (!out) {
		failure_memory(run->failure);
		return NULL;
	}
	json_print(value, false, out);
	bool whole = fclose(out) == 0;
	const cJSON *result = whole ? run_text(run, printed) : NULL;
	free(printed);
	return result;
}

CALL(type)
{
	return run_text(run, value_type(given->values[0]));
}
