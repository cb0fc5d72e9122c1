#ifndef GS_RUN_INSIDE_H
#define GS_RUN_INSIDE_H

/* A launcher inside a supervised program: the kernel allows one filter with a listener, so the
 * outer supervisor takes its tunnels, and the command is simply executed. */

#include "supervisor/process/launch.h"

/* Which calls an outer supervisor sees; 0: there is none. */
enum { INSIDE_CONNECTS = 1, INSIDE_LISTENS = 2 };
int inside_probe(void);

/* Pass all tunnels to it. 0, or the exit status after a message: it does not see the calls that
 * one of them needs, or refuses it. */
int inside_tell(const struct state *state, int sees);

/* Execute the command. Returns only on failure, with the exit status, after a message. */
int inside_run(const struct launch *launch);

#endif
