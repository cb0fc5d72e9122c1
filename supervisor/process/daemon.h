#ifndef GS_DAEMON_H
#define GS_DAEMON_H

/* A keeper and a supervisor without a command, which launches attach to by a socket's path. */

#include "supervisor/process/keeper.h"

/* Listen at path: a socket for the owner alone (0600), in a folder that must be the owner's and
 * closed to others; a socket that nobody answers on is replaced. Or take the one that systemd
 * passes (sd_listen_fds(3)) where path is NULL. A descriptor, or -errno: -EADDRINUSE: a supervisor
 * runs there already; -EPERM: the folder is open to others; -ENOTSOCK: none was passed, or
 * something else. */
int daemon_listen(const char *path);

/* Serve until SIGTERM or CONTROL_STOP; then, unless the signal comes again, until the last attached
 * program is gone. A service manager's signal ends it at once, with everything stored there.
 * Returns the exit status. */
int daemon_run(struct keeper *keeper, int debug_fd);

/* Go on with what a service manager has kept (service.h). */
int daemon_come_back(struct keeper *keeper);

/* Go on where another binary of the keeper stopped (upgrade.h). */
int daemon_go_on(struct keeper *keeper);

#endif
