#include "tests/bench/bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

uint64_t bench_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

_Noreturn void bench_die(const char *format, ...)
{
	int error = errno;
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
	va_end(args);
	exit(1);
}

long bench_number(const char *text, long min, long max)
{
	char *end;
	errno = 0;
	long number = text ? strtol(text, &end, 10) : 0;
	if (!text || errno || end == text || *end || number < min || number > max) {
		errno = 0;
		bench_die("%s is not a number from %ld to %ld", text ? text : "nothing", min, max);
	}
	return number;
}

bool send_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	while (len) {
		ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
		if (sent < 0)
			return false;
		at += sent;
		len -= (size_t)sent;
	}
	return true;
}

bool receive_all(int fd, void *data, size_t len)
{
	char *at = data;
	while (len) {
		ssize_t got = recv(fd, at, len, 0);
		if (got <= 0)
			return false;
		at += got;
		len -= (size_t)got;
	}
	return true;
}
