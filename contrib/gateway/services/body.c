#include "contrib/gateway/services/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/services/answer.h"

#define SEGMENT_MAX 64
#define WHOLE_MAX   9007199254740992.0 /* 2^53: a double is exact up to it */

/* --- errors --- */

static cJSON *make_error(const cJSON *where, const char *type, const char *message)
{
	cJSON *error = cJSON_CreateObject();

	cJSON_AddItemToObject(error, "loc", cJSON_Duplicate(where, true));
	cJSON_AddStringToObject(error, "msg", message);
	cJSON_AddStringToObject(error, "type", type);
	return error;
}

/* One error a place: where "data" is missing, each field in it is too. */
static bool has_error(const struct body *body, const cJSON *where)
{
	const cJSON *error;

	cJSON_ArrayForEach(error, body->errors)
	{
		if (cJSON_Compare(cJSON_GetObjectItem(error, "loc"), where, true))
			return true;
	}
	return false;
}

static void add_error(struct body *body, const cJSON *where, const char *type, const char *message)
{
	if (!has_error(body, where))
		cJSON_AddItemToArray(body->errors, make_error(where, type, message));
}

static cJSON *new_place(void)
{
	cJSON *where = cJSON_CreateArray();

	cJSON_AddItemToArray(where, cJSON_CreateString("body"));
	return where;
}

/* The next segment of a path: what follows it, NULL after the last. */
static const char *next_segment(const char *path, char segment[SEGMENT_MAX])
{
	size_t len = strcspn(path, "/");

	snprintf(segment, SEGMENT_MAX, "%.*s", (int)len, path);
	return path[len] ? path + len + 1 : NULL;
}

void body_error(struct body *body, const char *path, const char *type, const char *message)
{
	cJSON *where = new_place();
	char segment[SEGMENT_MAX];

	while (path) {
		path = next_segment(path, segment);
		cJSON_AddItemToArray(where, cJSON_CreateString(segment));
	}
	add_error(body, where, type, message);
	cJSON_Delete(where);
}

/* --- fields --- */

/* The value at a path, NULL when it is absent or null; the objects on the way have to be objects.
 */
static const cJSON *find(struct body *body, const char *path, enum need need)
{
	const cJSON *value = body->json;
	cJSON *where = new_place();
	char segment[SEGMENT_MAX];

	while (path && value) {
		if (!cJSON_IsObject(value)) {
			add_error(body, where, "model_type", "Input should be an object");
			value = NULL;
			break;
		}
		path = next_segment(path, segment);
		cJSON_AddItemToArray(where, cJSON_CreateString(segment));
		value = cJSON_GetObjectItemCaseSensitive(value, segment);
		if (cJSON_IsNull(value))
			value = NULL;
		if (!value && need == REQUIRED)
			add_error(body, where, "missing", "Field required");
	}
	cJSON_Delete(where);
	return value;
}

bool body_text(struct body *body, const char *path, enum need need, size_t max, const char **text)
{
	const cJSON *value = find(body, path, need);
	char message[64];

	if (!value)
		return false;
	if (!cJSON_IsString(value)) {
		body_error(body, path, "string_type", "Input should be a valid string");
		return false;
	}
	if (strlen(value->valuestring) > max) {
		snprintf(message, sizeof(message), "String should have at most %zu characters",
			 max);
		body_error(body, path, "string_too_long", message);
		return false;
	}
	*text = value->valuestring;
	return true;
}

bool body_uuid(struct body *body, const char *path, enum need need, uuid_text id)
{
	const cJSON *value = find(body, path, need);

	if (!value)
		return false;
	if (!cJSON_IsString(value) || uuid_canonical(value->valuestring, id) < 0) {
		body_error(body, path, "uuid_parsing", "Input should be a valid UUID");
		return false;
	}
	return true;
}

bool body_bool(struct body *body, const char *path, enum need need, bool *value)
{
	const cJSON *item = find(body, path, need);

	if (!item)
		return false;
	if (!cJSON_IsBool(item)) {
		body_error(body, path, "bool_type", "Input should be a valid boolean");
		return false;
	}
	*value = cJSON_IsTrue(item);
	return true;
}

static bool whole_number(const cJSON *item, double *number)
{
	char *end;

	if (cJSON_IsNumber(item)) {
		*number = item->valuedouble;
	} else if (cJSON_IsString(item) && *item->valuestring &&
		   strspn(item->valuestring, "0123456789") == strlen(item->valuestring)) {
		*number = strtod(item->valuestring, &end);
	} else {
		return false;
	}
	return *number >= -WHOLE_MAX && *number <= WHOLE_MAX && (double)(int64_t)*number == *number;
}

bool body_number(struct body *body, const char *path, enum need need, int64_t min, int64_t max,
		 int64_t *number)
{
	const cJSON *item = find(body, path, need);
	char message[80];
	double value;

	if (!item)
		return false;
	if (!whole_number(item, &value)) {
		body_error(body, path, "int_type", "Input should be a valid integer");
		return false;
	}
	if (value < (double)min || value > (double)max) {
		snprintf(message, sizeof(message), "Input should be from %lld to %lld",
			 (long long)min, (long long)max);
		body_error(body, path,
			   value < (double)min ? "greater_than_equal" : "less_than_equal", message);
		return false;
	}
	*number = (int64_t)value;
	return true;
}

void body_constant(struct body *body, const char *path, const char *text)
{
	const cJSON *value = find(body, path, REQUIRED);
	char message[80];

	if (!value || (cJSON_IsString(value) && strcmp(value->valuestring, text) == 0))
		return;
	snprintf(message, sizeof(message), "Input should be '%s'", text);
	body_error(body, path, "literal_error", message);
}

/* --- the whole --- */

/* Bytes of the UTF-8 character at text, 0 where there is none (RFC 3629: not longer than needed, no
 * surrogates, nothing past U+10FFFF). */
static size_t utf8_character(const unsigned char *text)
{
	size_t len = *text < 0x80 ? 1 : *text < 0xc2 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;

	if (*text > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((*text == 0xe0 && text[1] < 0xa0) || (*text == 0xed && text[1] > 0x9f) ||
	    (*text == 0xf0 && text[1] < 0x90) || (*text == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

/* cJSON takes any bytes, and would give them back in an answer. */
static bool is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len;

	for (; *at; at += len) {
		len = utf8_character(at);
		if (len == 0)
			return false;
	}
	return true;
}

void body_init(struct body *body, const struct request *request)
{
	cJSON *where;

	body->errors = cJSON_CreateArray();
	body->json = NULL;
	if (strlen(request->body) == request->body_len && is_utf8(request->body))
		body->json = cJSON_ParseWithOpts(request->body, NULL, true);
	if (cJSON_IsObject(body->json))
		return;
	where = new_place();
	add_error(body, where, body->json ? "model_type" : "json_invalid",
		  body->json ? "Input should be an object" : "JSON decode error");
	cJSON_Delete(where);
	cJSON_Delete(body->json);
	body->json = NULL;
}

void body_finish(struct body *body)
{
	cJSON_Delete(body->json);
	cJSON_Delete(body->errors);
}

bool body_failed(const struct body *body)
{
	return cJSON_GetArraySize(body->errors) > 0;
}

struct answer body_answer(struct body *body)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddItemToObject(json, "detail", body->errors);
	body->errors = NULL;
	return answer_json(422, json);
}

struct answer body_answer_elsewhere(const char *where, const char *name, const char *type,
				    const char *message)
{
	const char *parts[] = {where, name};
	cJSON *json = cJSON_CreateObject(), *place = cJSON_CreateStringArray(parts, 2);

	cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "detail"),
			     make_error(place, type, message));
	cJSON_Delete(place);
	return answer_json(422, json);
}
