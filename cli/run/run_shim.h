#ifndef GS_RUN_SHIM_H
#define GS_RUN_SHIM_H

#include "cli/run/run_setup.h"

/* A path beside the launcher's own: in the build folder or where it is installed. NULL: not there.
 */
char *run_beside(const char *relative);

/* The shim, for LD_PRELOAD. Programs that do not load it would not find the names, and go to the
 * real hosts past the tunnel: 1 after a line that says so, unless they find them in another way or
 * --no-shim was given. 0: *found may be NULL. inside: another launch is around this one. */
int run_find_shim(const struct run_options *options, bool inside, const char **found);

#endif
