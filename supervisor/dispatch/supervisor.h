#ifndef GS_SUPERVISOR_H
#define GS_SUPERVISOR_H

/* The event loop. */

#include "supervisor/base/state.h"

/* Take over the state and serve until there is nobody left to serve. Does not return an error: what
 * cannot go on ends the process. */
_Noreturn void supervisor_run(struct state *state);

#endif
