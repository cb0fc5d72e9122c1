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

#include "supervisor/base/state.h"

struct supervisor;

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
