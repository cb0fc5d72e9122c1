/* The agent by hand: systemd's socket unit does the same with Accept=yes. */

#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/agent/agent.h"
#include "cli/base/cleanup.h"

#define CHILDREN 64  /* at once; further connections wait in the kernel */
#define PAUSE    100 /* ms, where there are no descriptors or processes */

/* --- the socket --- */

/* Nobody else can put something else at the path. */
static int check_folder(const char *path)
{
	struct stat st;
	cleanup_free char *copy = strdup(path);
	if (!copy || lstat(dirname(copy), &st) < 0)
		return -errno;
	return st.st_uid != geteuid() || st.st_mode & 022 ? -EPERM : 0;
}

/* A socket of ours that nobody answers at. Other files that refuse in the same way stay. */
static bool is_left_behind(const struct sockaddr_un *at)
{
	struct stat st;
	if (lstat(at->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return false;
	cleanup_fd int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return probe >= 0 && connect(probe, (const struct sockaddr *)at, sizeof(*at)) < 0 &&
	       errno == ECONNREFUSED;
}

static int bind_private(int fd, const struct sockaddr_un *at)
{
	mode_t before = umask(0177);
	int err = bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ? -errno : 0;
	umask(before);
	return err;
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	if (snprintf(at.sun_path, sizeof(at.sun_path), "%s", path) >= (int)sizeof(at.sun_path))
		return -ENAMETOOLONG;
	int err = check_folder(path);
	cleanup_fd int fd = err < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err < 0 ? err : -errno;
	err = bind_private(fd, &at);
	if (err == -EADDRINUSE && is_left_behind(&at)) {
		unlink(path);
		err = bind_private(fd, &at);
	}
	if (err == 0 && listen(fd, SOMAXCONN) < 0)
		err = -errno;
	return err < 0 ? err : steal_fd(&fd);
}

static const char *explain(int err)
{
	if (err == -EPERM)
		return "its folder must belong to you and be closed to others (chmod 700)";
	if (err == -EADDRINUSE)
		return "another agent listens there, or it is another file; choose another path";
	return strerror(-err);
}

/* --- serving --- */

/* Fetch the children that have ended; wait for one where there are too many. */
static void fetch_children(unsigned *children)
{
	while (*children && waitpid(-1, NULL, *children < CHILDREN ? WNOHANG : 0) > 0)
		--*children;
}

/* True: go on, after a moment where nothing can be had, which nobody tells the end of. *said: so
 * that a shortage is told once. */
static bool goes_on(int error, bool *said)
{
	switch (error) {
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
	case EFAULT:
		agent_say("cannot accept connections: %s", strerror(error));
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		if (!*said)
			agent_say("cannot accept a connection for now: %s", strerror(error));
		*said = true;
		poll(NULL, 0, PAUSE);
	}
	return true;
}

static void serve(const struct agent *agent, int listener, int peer, unsigned *children)
{
	pid_t child = fork();
	if (child == 0) {
		close(listener);
		_exit(agent_serve(agent, peer) < 0);
	}
	if (child > 0)
		++*children;
	else
		agent_say("a container is refused: cannot start a process for it: %s",
			  strerror(errno));
}

int agent_listen(const struct agent *agent, const char *path)
{
	unsigned children = 0;
	bool said = false;
	cleanup_fd int listener = listen_at(path);
	if (listener < 0) {
		agent_say("cannot listen at %s: %s", path, explain(listener));
		return -1;
	}
	signal(SIGCHLD, SIG_DFL); /* it may be ignored, and nobody be counted then */
	agent_say("listening at %s", path);
	for (;;) {
		fetch_children(&children);
		cleanup_fd int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (peer < 0 && !goes_on(errno, &said))
			return -1;
		if (peer < 0)
			continue;
		said = false;
		serve(agent, listener, peer, &children);
	}
}
