#ifndef GS_MARK_H
#define GS_MARK_H

/* Who has held the supervisor up: one user's programs within one launch. For some time they are not
 * inspected any more, so that they cannot hold up others again; that time doubles each time. */

#include "supervisor/base/state.h"

/* For the keeper: note it. uid: UNKNOWN_UID where it cannot be told, which counts for the launch as
 * a whole the third time. How long it holds, in seconds; 0: it does not yet. */
unsigned mark_add(struct state *state, uint32_t program, uint32_t uid, uint64_t now);

/* Is anybody of that launch marked? */
bool mark_any(const struct state *state, uint32_t program, uint64_t now);

/* Is that user, in that launch? UNKNOWN_UID, where the thread is gone: as anybody of it. */
bool mark_holds(const struct state *state, uint32_t program, uint32_t uid, uint64_t now);

#endif
