#ifndef GS_BENCH_H
#define GS_BENCH_H

/*
 * What the measuring programs share. A figure is taken twice, by a worker under globus-streams-run
 * and by one without, which does the LAN handshake itself where there is one; `run` starts both and
 * lets them measure in turn.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/lan_auth.h"

/* What goes over every connection: the client sends it, bench-server sends it back, with the first
 * two fields filled in. */
struct message {
	uint64_t accepted_at; /* when accept() returned there, on the clock of bench_now() */
	uint64_t connections; /* how many it had accepted by then */
	uint64_t number;      /* the client's; comes back as it was */
	uint8_t filler[40];
};

/* The secret of one side of a tunnel. */
struct secret {
	uint8_t id[LAN_AUTH_KEY_ID];
	uint8_t key[LAN_AUTH_KEY_MAX];
	size_t len;
};

/* Monotonic nanoseconds, the same in all processes. */
uint64_t bench_now(void);

/* Say what is wrong, with errno's text unless errno is 0, and end with 1. A figure is measured
 * right or not at all. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number from a command line; dies where it is none. */
long bench_number(const char *text, long min, long max);

/* Read a secret out of a conf file; dies. */
void secret_read(struct secret *secret, const char *path);

/* The LAN handshake as a program would do it itself, with blocking calls; 0 or -errno. */
int handshake_call(int fd, const struct secret *secret);
int handshake_answer(int fd, const struct secret *secret);

/* Bytes on a blocking socket, all of them; false: the peer is gone. */
bool send_all(int fd, const void *data, size_t len);
bool receive_all(int fd, void *data, size_t len);

#endif
