#include "cli/base/failure.h"

#include <stdbool.h>
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

__attribute__((format(printf, 3, 0))) static int extend(struct failure *failure, bool before,
							const char *format, va_list args)
{
	cleanup_free char *words = NULL;
	char *text = NULL;
	const char *old = failure->text ? failure->text : "";
	if (vasprintf(&words, format, args) < 0)
		words = NULL;
	if (words && asprintf(&text, "%s%s", before ? words : old, before ? old : words) >= 0) {
		free(failure->text);
		failure->text = text;
	}
	return -1;
}

int failure_prefix(struct failure *failure, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	extend(failure, true, format, args);
	va_end(args);
	return -1;
}

int failure_append(struct failure *failure, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	extend(failure, false, format, args);
	va_end(args);
	return -1;
}

int failure_memory(struct failure *failure)
{
	return failure_set(failure, STATUS_FAILED, "out of memory");
}

void failure_finish(struct failure *failure)
{
	free(failure->text);
	free(failure->answer);
	*failure = (struct failure){0};
}
