#ifndef GS_AGENT_OWNER_H
#define GS_AGENT_OWNER_H

/* Whose a container is. */

#include <sys/types.h>

/* Is a runtime of this user connected at socket? 0, or -1 after a line. */
int owner_check_peer(int socket);

/* May the container's process have tunnels: is it this user's (root's agent: anybody's), or in a
 * user namespace of this user's, and in our network? 0, or -1 after a line. container: its name for
 * that line. The process is held meanwhile: another one that gets its number is not taken for it.
 */
int owner_check_process(pid_t pid, const char *container);

#endif
