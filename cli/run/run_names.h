#ifndef GS_RUN_NAMES_H
#define GS_RUN_NAMES_H

#include <stdbool.h>

/* Whether the command starts programs that resolve the tunnels' names only if all opens are
 * seen: it is known to clear the environment or to give its programs another root (sudo, su, a
 * container runtime). It may be wrapped in another command, as in "timeout 5 sudo …" or "sh -c
 * 'sudo …'". */
bool run_names_need_opens(char *const *command);

#endif
