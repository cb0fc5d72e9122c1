#ifndef GS_LOOKUP_H
#define GS_LOOKUP_H

/*
 * What needs another program: a tunnel's contact (globus-streams environment contact-lookup) and
 * the real address of a mapped name (getent ahosts). The supervisor asks for one by its index, the
 * keeper runs it, once for all who wait, and the supervisor reads what it says from a pipe.
 */

#include "supervisor/base/state.h"

/* A tunnel's lookup has the tunnel's index, a name's comes after all tunnels'. */
#define LOOKUP_OF_NAME(name) (MAX_TUNNELS + (name))

/* For the supervisor: ask the keeper for it, if it is not asked yet. */
void lookup_want(struct state *state, uint32_t lookup);

/* Read on. 0: it is over; the tunnel's contact or the name's addresses are set, or stand as they
 * were where it failed and text says why; -EAGAIN: it goes on. */
int lookup_read(struct state *state, uint32_t lookup);

/* For a supervisor that takes over: what was read counts, though it was not counted. */
void lookup_recover(struct state *state);

/* All lookups there are: for (uint32_t i = LOOKUP_FIRST; (i = lookup_next(state, i)) != NONE;) */
#define LOOKUP_FIRST NONE
uint32_t lookup_next(const struct state *state, uint32_t lookup);

/* For the keeper, before there is a supervisor. */
void lookup_init(const char *cli);

/* For the keeper: start what is wanted and tell the supervisor; a child was reaped; end all
 * children (a conf file is replaced as a whole or not at all). */
void lookup_run(struct state *state);
void lookup_ended(struct state *state, pid_t pid);
void lookup_stop(const struct state *state);

#endif
