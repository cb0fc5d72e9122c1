#ifndef GS_WATCHDOG_H
#define GS_WATCHDOG_H

/*
 * The keeper's watchdog. While the supervisor works, a timer ticks every 10 ms; the supervisor sets
 * it going and the keeper, when it finds nothing new, turns it off, so that no call wakes the
 * keeper. What stands over one tick is interrupted, which ends most of what waits; over ten, while
 * the supervisor sleeps in a call, the supervisor is ended and another goes on beside it: nobody
 * waits for one that does not end. Whose call it was is marked (mark.h). The same for the hand.
 */

#include <stdbool.h>

#include "supervisor/process/keeper.h"

/* The timer: a descriptor, not ticking, or -errno. */
int watchdog_open(void);

/* For the keeper, when the timer has an event. */
void watchdog_tick(struct keeper *keeper);

/* For the keeper: reap what was lost and has ended since. True: some have not. */
bool watchdog_reap(struct keeper *keeper);

/* For the keeper: mark whose fault that is (mark.h), by the item's uid, and tell. what: what was
 * held up. */
void watchdog_blame(struct state *state, const struct work_item *item, const char *what);

/* For the keeper: a child that was killed is to be reaped when it has ended (watchdog_reap). */
void watchdog_lose(struct state *state, pid_t pid);

/* For the keeper: wait for that child, which was killed, but not where it sleeps on in a call. */
void watchdog_end(struct state *state, pid_t child);

/* End the supervisor and wait for it, but not where it sleeps on in a call. */
void watchdog_end_supervisor(struct keeper *keeper);

#endif
