#include "cli/base/failure.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/base/cleanup.h"

int failure_set(struct failure *failure, int status, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	/* Free it after formatting only: the arguments may point into the old text. */
	failure_finish(failure);
	failure->status = status;
	failure->text = text;
	return -1;
}

int failure_prefix(struct failure *failure, const char *format, ...)
{
	cleanup_free char *words = NULL;
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&words, format, args) < 0)
		words = NULL;
	va_end(args);
	if (words && asprintf(&text, "%s%s", words, failure->text ? failure->text : "") >= 0) {
		free(failure->text);
		failure->text = text;
	}
	return -1;
}

int failure_memory(struct failure *failure)
{
	return failure_set(failure, STATUS_FAILED, "out of memory");
}

void failure_finish(struct failure *failure)
{
	free(failure->text);
	*failure = (struct failure){0};
}
