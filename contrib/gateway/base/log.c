#include "contrib/gateway/base/log.h"

#include <stdarg.h>
#include <stdio.h>

static bool details;

void log_init(bool verbose)
{
	details = verbose;
}

static void __attribute__((format(printf, 1, 0))) write_line(const char *format, va_list args)
{
	flockfile(stderr);
	fputs("globus-streams-gateway: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	funlockfile(stderr);
}

void log_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(format, args);
	va_end(args);
}

void log_detail(const char *format, ...)
{
	va_list args;

	if (!details)
		return;
	va_start(args, format);
	write_line(format, args);
	va_end(args);
}
