/*
 * storm serve PORT THREADS [poll]                     accept until SIGTERM
 * storm call HOST PORT THREADS SECONDS [poll] [MOST]  connect, each thread at most MOST times
 * storm ask HOST PORT [poll]                          connect once for each line of stdin
 */

#include "storm.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Atomic unsigned long storm_done, storm_faults;

static struct {
	_Atomic(const char *) what;
	_Atomic uint64_t since;
	_Atomic bool told;
} places[STORM_THREADS];

uint64_t storm_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void storm_fault(int error, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	storm_faults++;
	fprintf(stderr, "fault: %s%s%s\n", text, error ? ": " : "", error ? strerror(error) : "");
}

/* --- tokens --- */

void storm_make(struct storm_token *token, uint32_t thread, uint32_t number)
{
	uint32_t next = thread * 2654435761u + number;
	token->thread = thread;
	token->number = number;
	token->size = STORM_HEAD + next % (STORM_BYTES - STORM_HEAD);
	memcpy(token->bytes, "storm", 4);
	memcpy(token->bytes + 4, &thread, 4);
	memcpy(token->bytes + 8, &number, 4);
	memcpy(token->bytes + 12, &token->size, 4);
	for (size_t i = STORM_HEAD; i < token->size; i++) {
		next = next * 1664525u + 1013904223u;
		token->bytes[i] = (uint8_t)(next >> 24);
	}
}

bool storm_read(struct storm_token *token, const uint8_t *bytes, size_t len)
{
	uint32_t thread, number;
	if (len < STORM_HEAD)
		return false;
	memcpy(&thread, bytes + 4, 4);
	memcpy(&number, bytes + 8, 4);
	storm_make(token, thread, number);
	return len == token->size && memcmp(bytes, token->bytes, len) == 0;
}

void storm_turn(struct storm_token *token)
{
	for (size_t i = 0; i < token->size; i++)
		token->bytes[i] ^= 0xff;
}

bool storm_send(int fd, const struct storm_token *token)
{
	for (size_t at = 0; at < token->size;) {
		ssize_t sent = send(fd, token->bytes + at, token->size - at, MSG_NOSIGNAL);
		if (sent < 0)
			return false;
		at += (size_t)sent;
	}
	return true;
}

/* Until there are so many bytes, or the end. */
static long receive(int fd, uint8_t *bytes, size_t len, size_t wanted)
{
	while (len < wanted) {
		ssize_t got = recv(fd, bytes + len, wanted - len, 0);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (long)len;
}

long storm_receive(int fd, uint8_t bytes[STORM_BYTES])
{
	return receive(fd, bytes, 0, STORM_BYTES);
}

long storm_receive_token(int fd, uint8_t bytes[STORM_BYTES])
{
	uint32_t size;
	long len = receive(fd, bytes, 0, STORM_HEAD);
	if (len < STORM_HEAD)
		return len;
	memcpy(&size, bytes + 12, sizeof(size));
	return receive(fd, bytes, STORM_HEAD, size < STORM_BYTES ? size : STORM_BYTES);
}

/* --- who hangs --- */

void storm_at(unsigned thread, const char *what)
{
	places[thread].since = storm_now();
	places[thread].what = what;
	places[thread].told = false;
}

static void *watching(void *count)
{
	for (;;) {
		sleep(1);
		for (unsigned i = 0; i < *(unsigned *)count; i++) {
			const char *what = places[i].what;
			uint64_t since = places[i].since;
			if (!what || places[i].told ||
			    since + STORM_SECONDS * 1000000000ull > storm_now())
				continue;
			places[i].told = true;
			storm_fault(0, "thread %u hangs in %s", i, what);
		}
	}
	return NULL;
}

void storm_watch(unsigned threads)
{
	static unsigned count;
	pthread_t thread;
	count = threads;
	if (pthread_create(&thread, NULL, watching, &count) != 0)
		abort();
}

/* --- main --- */

static int call(char **words, int count)
{
	static struct storm_how hows[STORM_THREADS];
	static pthread_t threads[STORM_THREADS];
	unsigned asked = (unsigned)atoi(words[2]);
	bool polled = count > 4 && strcmp(words[4], "poll") == 0;
	unsigned long most = count > 4 + polled ? strtoul(words[4 + polled], NULL, 10) : 0;
	uint64_t end = storm_now() + strtoull(words[3], NULL, 10) * 1000000000;
	storm_watch(asked);
	for (unsigned i = 0; i < asked; i++) {
		hows[i] = (struct storm_how){words[0], words[1], i, polled, end, most};
		if (pthread_create(&threads[i], NULL, storm_calling, &hows[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < asked; i++)
		pthread_join(threads[i], NULL);
	printf("done=%lu faults=%lu\n", storm_done, storm_faults);
	return storm_faults != 0;
}

int main(int argc, char **argv)
{
	bool polled = argc == 5 && strcmp(argv[4], "poll") == 0;
	if (argc >= 4 && strcmp(argv[1], "serve") == 0)
		return storm_serve((uint16_t)atoi(argv[2]), (unsigned)atoi(argv[3]), polled);
	if (argc >= 6 && strcmp(argv[1], "call") == 0)
		return call(argv + 2, argc - 2);
	if (argc >= 4 && strcmp(argv[1], "ask") == 0)
		return storm_ask(argv[2], argv[3], polled);
	fputs("usage: storm serve PORT THREADS [poll] | call HOST PORT THREADS SECONDS [poll] "
	      "[MOST] | ask HOST PORT [poll]\n",
	      stderr);
	return 2;
}
