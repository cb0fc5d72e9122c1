#ifndef GS_RUN_INSIDE_H
#define GS_RUN_INSIDE_H

/* A launcher inside a supervised program: the kernel allows one filter with a listener, so the
 * outer supervisor takes its tunnels, and the command simply is run. */

#include "supervisor/process/launch.h"

/* Which calls an outer supervisor sees; 0: there is none. */
enum { INSIDE_CONNECTS = 1, INSIDE_LISTENS = 2 };
int inside_probe(void);

/* Hand it all tunnels. 0, or the exit status after a line on stderr: it does not see the calls that
 * one of them needs, or does not take it. */
int inside_tell(const struct state *state, int sees);

/* Become the command. Returns the exit status, after a line, where that cannot be. */
int inside_run(const struct launch *launch);

#endif
