#ifndef GS_CHORE_RUN_H
#define GS_CHORE_RUN_H

/* The keeper's side of chores (chore.h): a process for each. */

#include "supervisor/process/keeper.h"

/* Start those that are wanted. */
void chore_run(struct keeper *keeper);

/* End all, for another binary. */
void chore_stop(struct keeper *keeper);

/* In the place of another keeper: what it began is begun again, or was in vain. */
void chore_adopt(struct state *state);

/* Reap those that have ended, and mark for whom one takes longer than limit (ns) that ought not to.
 * True: there are some. */
bool chore_watch(struct keeper *keeper, uint64_t limit);

#endif
