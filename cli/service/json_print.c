#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/text.h"
#include "cli/service/json.h"

/*
 * cJSON's own printing is not used: it writes whole numbers as 1e+17, and does not escape what
 * terminals may treat as commands (C1, bytes that are not UTF-8).
 */

#define WHOLE_MAX 1e18 /* an int64_t holds it */
#define INDENT    2

static void print_text(const char *text, FILE *out)
{
	static const char letters[] = "\b\f\n\r\t", names[] = "bfnrt";
	putc('"', out);
	while (*text) {
		const char *from = text;
		long code = text_next(&text);
		const char *letter = code > 0 && code < 0x20 ? strchr(letters, (int)code) : NULL;
		if (code < 0)
			fputs("\\ufffd", out);
		else if (letter)
			fprintf(out, "\\%c", names[letter - letters]);
		else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			fprintf(out, "\\u%04lx", (unsigned long)code);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (char)code);
		else
			fwrite(from, 1, (size_t)(text - from), out);
	}
	putc('"', out);
}

/* The shortest text that is read back as the same number. */
static void print_number(double value, FILE *out)
{
	char text[32];
	if (!isfinite(value)) {
		fputs("null", out);
		return;
	}
	bool whole = fabs(value) <= WHOLE_MAX && value == (double)(int64_t)value;
	if (whole) {
		fprintf(out, "%" PRId64, (int64_t)value);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	fputs(text, out);
}

static void new_line(int level, FILE *out)
{
	if (level >= 0)
		fprintf(out, "\n%*s", level * INDENT, "");
}

static void print(const cJSON *item, int level, FILE *out)
{
	bool object = cJSON_IsObject(item);
	int inner = level < 0 ? level : level + 1;
	if (cJSON_IsString(item)) {
		print_text(item->valuestring, out);
	} else if (cJSON_IsNumber(item)) {
		print_number(item->valuedouble, out);
	} else if (!object && !cJSON_IsArray(item)) {
		fputs(cJSON_IsTrue(item) ? "true" : cJSON_IsFalse(item) ? "false" : "null", out);
	} else {
		putc(object ? '{' : '[', out);
		for (const cJSON *child = item->child; child; child = child->next) {
			new_line(inner, out);
			if (object)
				print_text(child->string, out);
			if (object)
				fputs(level < 0 ? ":" : ": ", out);
			print(child, inner, out);
			if (child->next)
				putc(',', out);
		}
		if (item->child)
			new_line(level, out);
		putc(object ? '}' : ']', out);
	}
}

void json_print(const cJSON *document, bool pretty, FILE *out)
{
	print(document, pretty ? 0 : -1, out);
}
