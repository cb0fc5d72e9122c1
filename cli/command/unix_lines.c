#include "cli/command/unix_lines.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/text.h"
#include "cli/service/json.h"

struct lines {
	FILE *out;
	const char *why; /* NULL: nothing is wrong */
};

/* Names, sorted, each once. */
struct names {
	const char **list;
	size_t count, room;
};

static int emit_list(struct lines *lines, const cJSON *list, const char *tag);
static int emit_object(struct lines *lines, const cJSON *object, const char *tag,
		       const struct names *scalars);

static int refuse(struct lines *lines, const char *why)
{
	lines->why = why;
	return -1;
}

static bool is_scalar(const cJSON *value)
{
	return !cJSON_IsArray(value) && !cJSON_IsObject(value);
}

static void names_finish(struct names *names)
{
	free(names->list);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_sort(struct names *names)
{
	size_t kept = 0;
	if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), by_name);
	for (size_t i = 0; i < names->count; i++)
		if (!kept || strcmp(names->list[kept - 1], names->list[i]) != 0)
			names->list[kept++] = names->list[i];
	names->count = kept;
}

static bool names_have(const struct names *names, const char *name)
{
	return names->count &&
	       bsearch(&name, names->list, names->count, sizeof(*names->list), by_name);
}

static int names_add(struct names *names, const char *name)
{
	if (names->count == names->room) {
		size_t room = names->room ? 2 * names->room : 32;
		const char **list = realloc(names->list, room * sizeof(*list));
		if (!list)
			return -1;
		names->list = list;
		names->room = room;
	}
	names->list[names->count++] = name;
	return 0;
}

/* Add the names of an object's members that are scalar, or of the others that are not in but. */
static int names_of(struct lines *lines, struct names *names, const cJSON *object,
		    const struct names *but)
{
	for (const cJSON *item = object->child; item; item = item->next)
		if ((but ? !names_have(but, item->string) : is_scalar(item)) &&
		    names_add(names, item->string) < 0)
			return refuse(lines, "out of memory");
	return 0;
}

static void emit_scalar(struct lines *lines, const cJSON *value)
{
	if (cJSON_IsString(value)) {
		cleanup_free char *text = strdup(value->valuestring);
		if (text)
			text_clean(text);
		fputs(text ? text : "", lines->out);
	} else if (cJSON_IsNumber(value)) {
		json_print(value, false, lines->out);
	} else {
		fputs(cJSON_IsTrue(value)    ? "True"
		      : cJSON_IsFalse(value) ? "False"
					     : "None",
		      lines->out);
	}
}

/* The name of what follows, in upper case. */
static void emit_tag(struct lines *lines, const char *tag, char end)
{
	cleanup_free char *text = strdup(tag);
	if (text)
		text_clean(text);
	for (char *at = text; at && *at; at++)
		putc(toupper((unsigned char)*at), lines->out);
	putc(end, lines->out);
}

/* The scalars of a list: with a tag a line for each, else one line. */
static void emit_scalars(struct lines *lines, const cJSON *list, const char *tag)
{
	bool first = true;
	for (const cJSON *item = list->child; item; item = item->next) {
		if (!is_scalar(item))
			continue;
		if (tag)
			emit_tag(lines, tag, '\t');
		else if (!first)
			putc('\t', lines->out);
		emit_scalar(lines, item);
		if (tag)
			putc('\n', lines->out);
		first = false;
	}
	if (!tag && !first)
		putc('\n', lines->out);
}

static int emit_objects(struct lines *lines, const cJSON *list, const char *tag)
{
	struct names names = {0};
	int err = 0;
	for (const cJSON *item = list->child; !err && item; item = item->next)
		err = names_of(lines, &names, item, NULL);
	names_sort(&names);
	for (const cJSON *item = list->child; !err && item; item = item->next)
		err = emit_object(lines, item, tag, &names);
	names_finish(&names);
	return err;
}

static int emit_list(struct lines *lines, const cJSON *list, const char *tag)
{
	size_t count = 0, objects = 0, lists = 0;
	for (const cJSON *item = list->child; item; item = item->next, count++) {
		objects += cJSON_IsObject(item);
		lists += cJSON_IsArray(item);
	}
	if (objects && objects < count)
		return refuse(lines, "a list mixes objects with other values");
	if (objects)
		return emit_objects(lines, list, tag);
	emit_scalars(lines, list, lists ? NULL : tag);
	for (const cJSON *item = list->child; item; item = item->next)
		if (cJSON_IsArray(item) && emit_list(lines, item, tag) < 0)
			return -1;
	return 0;
}

/* The line of an object's scalars. */
static int emit_columns(struct lines *lines, const cJSON *object, const char *tag,
			const struct names *scalars)
{
	if (tag && scalars->count)
		emit_tag(lines, tag, '\n');
	for (size_t i = 0; i < scalars->count; i++) {
		const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, scalars->list[i]);
		static const cJSON none = {.type = cJSON_NULL};
		if (value && !is_scalar(value))
			return refuse(lines, "a member is a scalar in some objects of a list but "
					     "not in others");
		if (i)
			putc('\t', lines->out);
		emit_scalar(lines, value ? value : &none);
	}
	if (scalars->count)
		putc('\n', lines->out);
	return 0;
}

static int emit_object(struct lines *lines, const cJSON *object, const char *tag,
		       const struct names *scalars)
{
	struct names others = {0};
	int err = emit_columns(lines, object, tag, scalars);
	if (!err)
		err = names_of(lines, &others, object, scalars);
	names_sort(&others);
	for (size_t i = 0; !err && i < others.count; i++) {
		const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, others.list[i]);
		struct names inner = {0};
		if (cJSON_IsArray(value)) {
			err = emit_list(lines, value, others.list[i]);
			continue;
		}
		err = names_of(lines, &inner, value, NULL);
		names_sort(&inner);
		if (!err)
			err = emit_object(lines, value, others.list[i], &inner);
		names_finish(&inner);
	}
	names_finish(&others);
	return err;
}

static int emit(struct lines *lines, const cJSON *document)
{
	struct names names = {0};
	if (cJSON_IsArray(document))
		return emit_list(lines, document, NULL);
	if (!cJSON_IsObject(document)) {
		emit_scalar(lines, document);
		putc('\n', lines->out);
		return 0;
	}
	int err = names_of(lines, &names, document, NULL);
	names_sort(&names);
	if (!err)
		err = emit_object(lines, document, NULL, &names);
	names_finish(&names);
	return err;
}

int unix_lines_print(const cJSON *document, FILE *out, const char **why)
{
	struct lines lines = {.out = out};
	int err = emit(&lines, document);
	*why = lines.why;
	return err;
}
