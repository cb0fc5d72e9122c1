#ifndef GS_AGENT_OWNER_H
#define GS_AGENT_OWNER_H

/* Whose a container is. */

#include <sys/types.h>

/* Is a runtime of this user connected at socket? Its process, or -1 after a line. */
pid_t owner_check_peer(int socket);

/* May the container's process have tunnels: is it this user's (root's agent: anybody's), or in a
 * user namespace of this user's, or a child of the runtime, and in our network? The process that
 * the supervisor can be asked about, or -1 after a line. container: its name for that line.
 *
 * The process is held meanwhile: another one that gets its number is not taken for it. Before it
 * has executed its command, a process of a runtime without root can be inspected by nobody, and it
 * may wait for us, so we cannot wait for that: its runtime stands for it. The same if pid is 0, not
 * known. In which network it is, the supervisor sees then at each call. */
pid_t owner_check_process(pid_t pid, pid_t runtime, const char *container);

#endif
