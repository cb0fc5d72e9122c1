#ifndef GS_PATIENCE_H
#define GS_PATIENCE_H

/*
 * How long this run goes on waiting for others: until the deadline of --wait, and until a signal
 * says to end. Whoever waits (HTTP, locks, pauses) asks here.
 */

#include <stdbool.h>

#include "cli/base/failure.h"

/* From now on there are that many seconds, whatever there was before. */
void patience_set(long long seconds);

/* What is left of limit_ms: less if the deadline comes before that. 0: it is over. */
long long patience_left_ms(long long limit_ms);

/* Note SIGINT, SIGTERM and SIGHUP instead of dying of them, so that what was begun elsewhere can be
 * undone; one that is ignored stays so. The second one ends the program. */
void patience_catch_signals(void);

/* The signal that came; 0: none. */
int patience_signal(void);

/* Whether to give up because of it. What asks a service to change something is given grace_ms more
 * to learn its answer. */
bool patience_gives_up(long long grace_ms);

/* What comes now must not stop half way (undoing what was begun, finishing what cannot be undone):
 * a signal is no reason to give up, but that many seconds after it are all there are. 0: it is
 * over.
 */
void patience_hold(long long seconds);

/* Say so: -1. The exit status is the shells' 128 + the signal. what: more to say, or "". */
int patience_fail(struct failure *failure, const char *what);

#endif
