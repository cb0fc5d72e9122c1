#include "cli/service/output.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/text.h"
#include "cli/service/json.h"

static char *clean(const char *value)
{
	char *text = strdup(value ? value : "None");
	if (text)
		text_clean(text);
	return text;
}

void output_record(const struct output_field *fields, size_t count)
{
	size_t widest = 0;
	for (size_t i = 0; i < count; i++)
		if (strlen(fields[i].label) > widest)
			widest = strlen(fields[i].label);
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *value = clean(fields[i].value);
		printf("%s:%*s %s\n", fields[i].label, (int)(widest - strlen(fields[i].label)), "",
		       value ? value : "");
	}
}

void output_line(const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (text) {
		text_clean(text);
		printf("%s\n", text);
	}
}

/* How JSON is printed, if in another way, and that this failed. */
static struct {
	output_printer *print;
	void *user;
	struct failure failure;
} other;

void output_as(output_printer *print, void *user)
{
	failure_finish(&other.failure);
	other.print = print;
	other.user = user;
}

int output_flush(struct failure *failure)
{
	static int why;
	if (other.failure.status) {
		if (failure)
			failure_set(failure, other.failure.status, "%s",
				    other.failure.text ? other.failure.text : "out of memory");
		return -1;
	}
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	/* Only the first failure gets the reason. */
	why = why ? why : errno;
	if (!failure)
		return -1;
	if (why == EPIPE)
		return failure_set(
			failure, STATUS_FAILED,
			"cannot write to stdout (Broken pipe): the program that reads it "
			"ended first; have it read to the end, or print less with --jq");
	return failure_set(failure, STATUS_FAILED, "cannot write to stdout: %s%s",
			   why ? strerror(why) : "it is closed",
			   why == ENOSPC ? "; make room, or write elsewhere" : "");
}

bool output_gone(void)
{
	struct pollfd end = {.fd = STDOUT_FILENO};
	return poll(&end, 1, 0) == 1 && (end.revents & (POLLERR | POLLHUP));
}

void output_json_list(const cJSON *list)
{
	cJSON *document = cJSON_CreateObject();
	cJSON_AddItemReferenceToObject(document, "data", (cJSON *)list);
	output_json(document);
	cJSON_Delete(document);
}

static void print_json(const cJSON *document, bool pretty)
{
	if (other.print && !other.failure.status) {
		other.print(document, pretty, other.user, &other.failure);
	} else if (!other.print) {
		json_print(document, pretty, stdout);
		putchar('\n');
	}
}

void output_json(const cJSON *document)
{
	print_json(document, true);
}

void output_json_line(const cJSON *document)
{
	print_json(document, false);
}
