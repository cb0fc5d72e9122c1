#ifndef GS_RUN_SHIM_H
#define GS_RUN_SHIM_H

#include "cli/run/run_setup.h"

/* A path relative to the launcher: in the build folder or where it is installed. NULL: none. */
char *run_beside(const char *relative);

/* The shim, for LD_PRELOAD. Programs that do not load it would not resolve the names and bypass
 * the tunnel: 1 after a message, unless they resolve them in another way or --no-shim was given.
 * 0: *found may be NULL. inside: there is an outer launch. */
int run_find_shim(const struct run_options *options, bool inside, const char **found);

#endif
