#include "cli/service/json.h"

#include <ctype.h>
#include <string.h>

#include "protocol/contact.h"

#define NAME_MAX_LEN 64
#define EXACT_MAX    9007199254740992.0 /* 2^53: beyond it a double skips whole numbers */

/* The value at a path; NULL: none. *blocked: something on the path is no object. */
static const cJSON *walk(const cJSON *document, const char *path, bool *blocked)
{
	const cJSON *at = document;
	*blocked = false;
	while (at && !cJSON_IsNull(at) && *path) {
		char name[NAME_MAX_LEN];
		size_t len = strcspn(path, ".");
		*blocked = len >= sizeof(name) || !cJSON_IsObject(at);
		if (*blocked)
			return NULL;
		memcpy(name, path, len);
		name[len] = '\0';
		at = cJSON_GetObjectItemCaseSensitive(at, name);
		path += len + (path[len] == '.');
	}
	return cJSON_IsNull(at) ? NULL : at;
}

const cJSON *json_at(const cJSON *document, const char *path)
{
	bool blocked;
	return walk(document, path, &blocked);
}

const char *json_text(const cJSON *document, const char *path)
{
	const cJSON *item = json_at(document, path);
	return cJSON_IsString(item) ? item->valuestring : NULL;
}

static int take_number(const cJSON *item, int64_t low, int64_t high, int64_t *out)
{
	double value = item->valuedouble;
	if (!cJSON_IsNumber(item) || !(value >= -EXACT_MAX && value <= EXACT_MAX) ||
	    (double)(int64_t)value != value)
		return -1;
	if ((int64_t)value < low || (int64_t)value > high)
		return -1;
	*out = (int64_t)value;
	return 0;
}

static int take_text(const cJSON *item, bool uuid, const char **out)
{
	uint8_t bytes[UUID_BYTES];
	if (!cJSON_IsString(item) || (uuid && uuid_parse(item->valuestring, bytes) < 0))
		return -1;
	*out = item->valuestring;
	return 0;
}

static int take_item(const cJSON *item, bool right, const cJSON **out)
{
	if (right)
		*out = item;
	return right ? 0 : -1;
}

static int take(const cJSON *item, enum json_kind kind, void *out)
{
	switch (kind) {
	case JSON_TEXT:
		return take_text(item, false, out);
	case JSON_UUID:
		return take_text(item, true, out);
	case JSON_INTEGER:
		return take_number(item, INT64_MIN, INT64_MAX, out);
	case JSON_PORT:
		return take_number(item, 1, 65535, out);
	case JSON_BOOLEAN:
		if (cJSON_IsBool(item))
			*(bool *)out = cJSON_IsTrue(item);
		return cJSON_IsBool(item) ? 0 : -1;
	case JSON_OBJECT:
		return take_item(item, cJSON_IsObject(item), out);
	case JSON_ARRAY:
		return take_item(item, cJSON_IsArray(item), out);
	}
	return -1;
}

int json_read(const cJSON *document, const struct json_field *fields, size_t count, void *out,
	      const char **at)
{
	for (size_t i = 0; i < count; i++) {
		bool blocked;
		const cJSON *item = walk(document, fields[i].path, &blocked);
		if (!item && !blocked && !fields[i].needed)
			continue;
		*at = fields[i].path;
		if (!item || take(item, fields[i].kind, (char *)out + fields[i].offset) < 0)
			return -1;
	}
	return 0;
}

cJSON *json_parse(const char *text, size_t len)
{
	const char *end = NULL;
	cJSON *document = cJSON_ParseWithLengthOpts(text, len, &end, 0);
	if (!document)
		return NULL;
	while (end < text + len && isspace((unsigned char)*end))
		end++;
	if (end < text + len) {
		json_wipe(document);
		return NULL;
	}
	return document;
}

void json_wipe(cJSON *document)
{
	for (cJSON *item = document; item; item = item->next) {
		if (item->child) {
			cJSON *child = item->child;
			item->child = NULL;
			json_wipe(child);
		}
		if (item->valuestring)
			explicit_bzero(item->valuestring, strlen(item->valuestring));
	}
	cJSON_Delete(document);
}
