#ifndef GS_PATIENCE_H
#define GS_PATIENCE_H

/*
 * How long this run may wait for others: until the deadline of --wait, or until a signal asks it
 * to end. Everything that waits (HTTP, locks, pauses) asks here.
 */

#include <stdbool.h>

#include "cli/base/failure.h"

/* Set the deadline to that many seconds from now, replacing an earlier one. */
void patience_set(long long seconds);

/* limit_ms, or the time to the deadline if that is less. 0: the deadline has passed. */
long long patience_left_ms(long long limit_ms);

/* Record SIGINT, SIGTERM and SIGHUP instead of dying of them, so that changes at services can be
 * undone. Signals that are ignored stay ignored. The second signal ends the program. */
void patience_catch_signals(void);

/* The signal that came; 0: none. */
int patience_signal(void);

/* Whether to give up because of it. A request that changes something at a service may wait
 * grace_ms longer for its answer. */
bool patience_gives_up(long long grace_ms);

/* Begin a step that must not stop half way (undoing a change, or finishing one that cannot be
 * undone): a signal does not interrupt it, but leaves it only that many seconds. 0: it is over. */
void patience_hold(long long seconds);

/* Set the failure "interrupted": -1. The exit status is 128 + the signal, as in shells. what:
 * appended to the message, or "". */
int patience_fail(struct failure *failure, const char *what);

#endif
