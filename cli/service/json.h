#ifndef GS_JSON_H
#define GS_JSON_H

/* JSON from outside: a table says which fields are read, and of which type. */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum json_kind {
	JSON_TEXT,    /* const char *, into the document */
	JSON_UUID,    /* the same, and it is a UUID */
	JSON_INTEGER, /* int64_t: a whole number, exactly held */
	JSON_PORT,    /* int64_t, 1–65535 */
	JSON_BOOLEAN, /* bool */
	JSON_OBJECT,  /* const cJSON * */
	JSON_ARRAY,   /* const cJSON * */
};

struct json_field {
	const char *path; /* names joined by dots: "data.attributes.state" */
	enum json_kind kind;
	bool needed; /* else it may be absent or null: the field in out is left alone */
	size_t offset;
};

/* Read fields (count of them) from document into out. 0, or -1 with *at naming the path at fault.
 */
int json_read(const cJSON *document, const struct json_field *fields, size_t count, void *out,
	      const char **at);

/* The value at a path; NULL: none, or null. */
const cJSON *json_at(const cJSON *document, const char *path);

/* The text at a path; NULL: none, or not text. */
const char *json_text(const cJSON *document, const char *path);

/* Parse len bytes of text, all of it; NULL: not JSON. cJSON_Delete() it, or json_wipe() it where it
 * holds secrets. */
cJSON *json_parse(const char *text, size_t len);
void json_wipe(cJSON *document);

/* Print it, pretty (two spaces a level) or in one line; no newline after it. Control characters and
 * what is not UTF-8 are escaped. */
void json_print(const cJSON *document, bool pretty, FILE *out);

#endif
