#ifndef GS_PATIENCE_H
#define GS_PATIENCE_H

/*
 * How long a non-blocking connect() is held before it returns EINPROGRESS.
 *
 * At least 20 ms, or less where that was in vain lately. Then it depends on what is known of who
 * calls, by user, executable, tunnel and port (struct evidence): a program that asks for the result
 * by SO_ERROR or a second connect() can be told EINPROGRESS, since the question is held. One that
 * writes as soon as the socket is writable must be held until the handshake is over. Of whom
 * nothing is known is held too, and then told EINPROGRESS all the same: it shows what it does, and
 * nothing can be lost. If it has shown nothing yet, no thread is held for more than a second in
 * ten, nor more than 64 threads of a process at once: then one connection is a trial, told at once.
 */

#include "supervisor/state.h"

struct supervisor;

/* A thread whose non-blocking connects to a tunnel have been held for nothing, one after another.
 */
struct held_thread {
	int tid;
	uint32_t tunnel;
	unsigned times;
	uint64_t until; /* it is remembered */
};

/* A thread that was held though nothing was known of it: for how long, by the second. */
#define HELD_SECONDS 11
struct held_long {
	int tid;
	uint64_t second; /* the latest of them */
	uint64_t took[HELD_SECONDS];
};

/* A socket whose connect() was held until the connection was there: does its program ask? */
struct held_socket {
	uint64_t cookie; /* 0: a free place */
	uint64_t until;  /* it is remembered */
	uint32_t program;
	int tid, number;
	struct executable executable;
	uint32_t tunnel;
	uint16_t port;
};

/* What dies with the supervisor: another one learns it again. One forgets another. */
#define HELD_THREADS 64   /* by tid and tunnel */
#define HELD_LONG    1024 /* by tid */
#define HELD_SOCKETS 64   /* by cookie */
#define HELD_GROUPS  4096 /* by process */
struct patience {
	struct held_thread threads[HELD_THREADS];
	struct held_long longs[HELD_LONG];
	struct held_socket sockets[HELD_SOCKETS];
	uint64_t sockets_until;     /* none of them is remembered longer */
	uint16_t over[HELD_GROUPS]; /* threads that are held though nothing is known of them */
};

/* How long a fresh connect() may wait at first, ns; 0: to the end. */
uint64_t patience_first(struct supervisor *s, const struct conn *conn);

/* That time is over: until when a non-blocking one is held on, monotonic ns; 0: it is not. Its call
 * has to stand. */
uint64_t patience_further(struct supervisor *s, struct conn *conn);

/* Would its program write to whoever is there, were it told EINPROGRESS? */
bool patience_must_not_tell(struct supervisor *s, const struct conn *conn);

/* It is held no more. answered: the connection is there, and connect() has returned. Does nothing
 * the second time. */
void patience_over(struct supervisor *s, struct conn *conn, bool answered);

/* For a supervisor that takes over: it is held. */
void patience_recover(struct supervisor *s, const struct conn *conn);

/* It was held and is there; or held until its time was over. */
void patience_well(struct supervisor *s, const struct conn *conn);
void patience_in_vain(struct supervisor *s, const struct conn *conn);

/* Who calls: process and executable, while its call stands. */
void patience_meet(struct supervisor *s, struct conn *conn);

/* Its program has asked for the result; or has written or read before it did. */
void patience_asked(struct supervisor *s, struct conn *conn);
void patience_intruded(struct supervisor *s, const struct conn *conn);

/* May somebody ask about a socket that is not being connected any more? Somebody does. */
bool patience_listens(const struct supervisor *s);
void patience_asked_about(struct supervisor *s, uint64_t cookie);

#endif
