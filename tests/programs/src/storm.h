#ifndef GS_TESTS_STORM_H
#define GS_TESTS_STORM_H

/*
 * Many connections at a time, each known by its token: who it is, how long it is, and bytes that
 * follow from that. The caller sends the token and wants the same back with every bit turned, and
 * then the end; the server knows that each thread of the caller comes with 1, 2, 3 … in this order.
 * It closes first: TIME_WAIT stays with the port that listens, so that no storm, however long, uses
 * up the ports that the kernel hands out.
 *
 * Counters are told as name=value; every fault is a line on stderr and counts as one.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORM_THREADS 1024 /* at most */
#define STORM_BYTES   8192 /* of a token, at most */
#define STORM_HEAD    16
#define STORM_FDS     16384
#define STORM_SECONDS 20 /* a call that takes longer hangs */

struct storm_token {
	uint32_t thread, number;
	uint32_t size;
	uint8_t bytes[STORM_BYTES];
};

extern _Atomic unsigned long storm_done, storm_faults;

/* Fill in what thread sends as its number-th. */
void storm_make(struct storm_token *token, uint32_t thread, uint32_t number);

/* Read a token out of what came: false if it is none. */
bool storm_read(struct storm_token *token, const uint8_t *bytes, size_t len);

/* Every bit turned. */
void storm_turn(struct storm_token *token);

bool storm_send(int fd, const struct storm_token *token);

/* Receive until the end of the other side (at most STORM_BYTES), or so much as the token says that
 * it is long: how much, or -1. */
long storm_receive(int fd, uint8_t bytes[STORM_BYTES]);
long storm_receive_token(int fd, uint8_t bytes[STORM_BYTES]);

/* One fault more; what errno says is added where error is not 0. */
void storm_fault(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where a thread is, for those who look for one that hangs: NULL means nowhere. */
void storm_at(unsigned thread, const char *what);

/* Threads that look after the others: who has been at the same place for STORM_SECONDS? */
void storm_watch(unsigned threads);

void *storm_calling(void *how); /* storm_call.c: struct storm_how */
/* One connection for each line of stdin; "good" or "bad" for each. */
int storm_ask(const char *host, const char *port, bool polled);
int storm_serve(uint16_t port, unsigned threads, bool polled);

struct storm_how {
	const char *host, *port;
	unsigned thread;
	bool polled; /* non-blocking, with poll() and SO_ERROR */

	uint64_t end;       /* monotonic ns */
	unsigned long most; /* connections of this thread; 0: until the end */
};

uint64_t storm_now(void);

#endif
