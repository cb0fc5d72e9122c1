#include "cli/agent/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/agent/agent.h"
#include "cli/base/cleanup.h"
#include "supervisor/kernel/proc.h"

#define NESTED      32 /* user namespaces in each other: the kernel's most */
#define GENERATIONS 4  /* between a runtime and its container's process */

/* --- the runtime --- */

static bool has_our(const char *kind, pid_t pid, int *error)
{
	char path[64];
	struct stat ours, theirs;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	*error = stat(path, &ours) < 0 ? errno : 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	if (*error == 0 && stat(path, &theirs) < 0)
		*error = errno;
	return *error == 0 && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

pid_t owner_check_peer(int socket)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int error;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		agent_say("stdin is not a container runtime's connection (%s); start this program "
			  "from globus-streams-oci.socket, or with --listen",
			  strerror(errno));
		return -1;
	}
	if (peer.uid != geteuid()) {
		agent_say("a container of user %u is refused: this agent serves user %u only; "
			  "start an agent as that user",
			  (unsigned)peer.uid, (unsigned)geteuid());
		return -1;
	}
	/* what it calls a process by is another number here */
	if (peer.pid > 0 && (has_our("pid", peer.pid, &error) || error))
		return peer.pid;
	agent_say("a container is refused: its runtime runs inside another container; start an "
		  "agent in there");
	return -1;
}

/* --- the container's process --- */

/* Is it in a user namespace that this user has made, or in one inside such a one? */
static bool is_in_our_namespace(pid_t pid)
{
	char path[64];
	struct stat ours, theirs;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool found = false;
	if (stat("/proc/self/ns/user", &ours) < 0)
		ours.st_ino = 0;
	for (int i = 0; fd >= 0 && !found && i < NESTED; i++) {
		uid_t owner;
		if (fstat(fd, &theirs) < 0 || theirs.st_ino == ours.st_ino)
			break;
		found = ioctl(fd, NS_GET_OWNER_UID, &owner) == 0 && owner == geteuid();
		int parent = ioctl(fd, NS_GET_PARENT);
		close(fd);
		fd = parent;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static bool descends(pid_t pid, pid_t runtime)
{
	for (int i = 0; i < GENERATIONS && pid > 1; i++) {
		if (pid == runtime)
			return true;
		pid = proc_parent(pid);
	}
	return false;
}

static int check_user(pid_t pid, pid_t runtime, const char *container)
{
	int uid = proc_uid(pid);
	if (geteuid() == 0 || uid == (int)geteuid() || is_in_our_namespace(pid) ||
	    descends(pid, runtime))
		return 0;
	agent_say(
		"container %s is refused: its process %d is not this user's, but user %d's; start "
		"an agent as that user",
		container, (int)pid, uid);
	return -1;
}

/* The process to ask about, or -1. */
static pid_t check_network(pid_t pid, pid_t runtime, const char *container)
{
	int error;
	if (has_our("net", pid, &error))
		return pid;
	if (error == EACCES || error == EPERM)
		return runtime;
	if (error)
		agent_say("container %s is refused: its process %d cannot be inspected: %s",
			  container, (int)pid, strerror(error));
	else
		agent_say("container %s is refused: it has a network namespace of its own, where "
			  "tunnels are not available; start it with the host's network (--network "
			  "host)",
			  container);
	return -1;
}

pid_t owner_check_process(pid_t pid, pid_t runtime, const char *container)
{
	if (pid == 0)
		return runtime;
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int err = pidfd < 0 ? -errno : 0;
	if (err == 0 && check_user(pid, runtime, container) < 0)
		return -1;
	pid_t asked = err == 0 ? check_network(pid, runtime, container) : 0;
	struct pollfd end = {.fd = pidfd, .events = POLLIN};
	if (asked < 0 || (err == 0 && poll(&end, 1, 0) == 0))
		return asked;
	agent_say("container %s is refused: its process %d %s%s", container, (int)pid,
		  err == 0 || err == -ESRCH ? "has ended" : "cannot be inspected: ",
		  err == 0 || err == -ESRCH ? "" : strerror(-err));
	return -1;
}
