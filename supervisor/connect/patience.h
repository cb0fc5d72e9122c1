#ifndef GS_PATIENCE_H
#define GS_PATIENCE_H

/*
 * How long a non-blocking connect() is held before it returns EINPROGRESS.
 *
 * At least 20 ms, or less if that was in vain lately. After that it depends on what is known of the
 * caller, by user, executable, tunnel and port (struct evidence): a program that asks for the
 * result by SO_ERROR or a second connect() can get EINPROGRESS, since the question is held. One
 * that writes as soon as the socket is writable must be held until the handshake is over. A program
 * of which nothing is known is held too, and then still gets EINPROGRESS: it shows what it does,
 * and nothing can be lost. As long as it has shown nothing, no thread is held for more than one
 * second in ten, and at most 64 threads of a process at once: then one connection is a trial, and
 * gets EINPROGRESS at once.
 */

#include "supervisor/base/state.h"

struct supervisor;

/* How long a fresh connect() may wait at first, ns; 0: to the end. */
uint64_t patience_first(struct supervisor *s, const struct conn *conn);

/* That time is over: until when a non-blocking one is held on, monotonic ns; 0: it is not. Its call
 * has to stand. */
uint64_t patience_further(struct supervisor *s, struct conn *conn);

/* If its program got EINPROGRESS, would it write to an unauthenticated peer? */
bool patience_must_not_tell(struct supervisor *s, const struct conn *conn);

/* It is held no more. answered: the connection is there, and connect() has returned. Does nothing
 * the second time. */
void patience_over(struct supervisor *s, struct conn *conn, bool answered);

/* For a supervisor that takes over: it is held. */
void patience_recover(struct supervisor *s, const struct conn *conn);

/* It was held until it was established; or until its time was over. */
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
