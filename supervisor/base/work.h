#ifndef GS_WORK_H
#define GS_WORK_H

/* What the supervisor is working on, noted for the keeper's watchdog (watchdog.h) before it begins.
 * It belongs to programs, and some of it can make the supervisor wait for as long as they like: a
 * socket's lock, their memory, a file's last close. The note tells which program did so. */

#include "supervisor/base/state.h"

/* One after another; each gives what was worked on before, for work_go_on(). Where nothing was, the
 * watchdog is set going. tid, uid: of the program, as far as known: 0, UNKNOWN_UID. */
struct work_item work_on(struct state *state, struct work_item item);
struct work_item work_on_call(struct state *state, uint32_t call);
struct work_item work_on_conn(struct state *state, uint32_t conn);
struct work_item work_on_listener(struct state *state, uint32_t listener);

/* Back to that. */
void work_go_on(struct state *state, struct work_item before);

/* Let the watchdog's timer tick, every WORK_TICK ns, or not. */
#define WORK_TICK (10 * MILLISECOND)
void work_tick(int ticks, bool on);

/* Nothing is worked on. */
void work_over(struct state *state);

/* An item that is about nobody. */
struct work_item work_of_nobody(void);

#endif
