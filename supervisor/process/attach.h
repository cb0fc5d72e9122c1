#ifndef GS_ATTACH_H
#define GS_ATTACH_H

/* A launch's side of a supervisor that runs already: protocol/control.h, 3. */

#include <sys/types.h>

#include "supervisor/base/state.h"

/* Connect to the supervisor at path, which must be of the same user: a descriptor, or -errno
 * (-EPERM: another user's). */
int attach_open(const char *path);

/* Tell it a tunnel. 0 or -errno. message's header is filled in here. */
int attach_tunnel(int channel, struct control_tunnel *message);

/* The folder whose conf file of that tunnel, an initiator's, it has already. 0 or -errno. */
int attach_folder(int channel, const char *id, char folder[CONTROL_PATH_MAX]);

/* What is told of a tunnel of a state; it holds the secret. */
void attach_describe(const struct state *state, uint32_t tunnel, struct control_tunnel *message);

/* Tell it all tunnels of a state, which was told them by their conf files. 0 or -errno. */
int attach_tunnels(int channel, const struct state *state);

/* Hand it the listener descriptor of a command; flags: ATTACH_… 0;
 * -EPERM: it may not look into the command (Yama). */
int attach_program(int channel, int notify_fd, pid_t command, uint32_t flags);

/* The same for a program that is to have the tunnels told over this channel, and no others. An
 * older supervisor, which would not know the difference, answers -EPROTO. */
int attach_guest(int channel, int notify_fd, pid_t command, uint32_t flags);

#endif
