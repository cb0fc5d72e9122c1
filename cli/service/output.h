#ifndef GS_OUTPUT_H
#define GS_OUTPUT_H

/* What commands print on stdout: records ("Label: value" lines), lines, JSON. Texts from elsewhere
 * cannot add lines or move the cursor. */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/base/failure.h"

struct output_field {
	const char *label, *value; /* NULL: printed as None */
};

/* One line a field, the values in one column. */
void output_record(const struct output_field *fields, size_t count);

/* One line. */
__attribute__((format(printf, 1, 2))) void output_line(const char *format, ...);

/* {"data": list}; the list stays the caller's. */
void output_json_list(const cJSON *list);

/* Write out what was printed: 0, or -1 with failure if that is not possible (a full disk, a
 * closed pipe). failure may be NULL: it is reported at the end of the run anyway. */
int output_flush(struct failure *failure);

/* Whether stdout is a pipe or a terminal whose other end is gone. */
bool output_gone(void);

/* JSON, two spaces a level, and a newline. What output_as() set prints it in its own way. */
void output_json(const cJSON *document);

/* The same in one line, for one of many. */
void output_json_line(const cJSON *document);

/* Have these two call print: 0, or -1 with failure, which output_flush() gives. */
typedef int output_printer(const cJSON *document, bool pretty, void *user, struct failure *failure);
void output_as(output_printer *print, void *user);

#endif
