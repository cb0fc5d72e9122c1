#include "supervisor/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/attach.h"
#include "supervisor/fd.h"
#include "supervisor/log.h"
#include "supervisor/lookup.h"
#include "supervisor/upgrade.h"

/* --- the socket --- */

static int check_folder(const char *path)
{
	struct stat stat;
	char *copy = strdup(path);
	int err = copy && lstat(dirname(copy), &stat) == 0 ? 0 : -errno;
	free(copy);
	if (err == 0 && (stat.st_uid != geteuid() || stat.st_mode & 022))
		err = -EPERM;
	return err;
}

static int bind_private(int fd, const struct sockaddr_un *to)
{
	mode_t before = umask(0177);
	int err = bind(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ? -errno : 0;
	umask(before);
	return err;
}

static int passed_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int type = 0, listens = 0;
	socklen_t len = sizeof(int);
	if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strtol(count, NULL, 10) != 1)
		return -ENOTSOCK;
	if (getsockopt(3, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET ||
	    getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens)
		return -ENOTSOCK;
	fcntl(3, F_SETFD, FD_CLOEXEC);
	fcntl(3, F_SETFL, O_NONBLOCK);
	return 3;
}

int daemon_listen(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (!path)
		return passed_socket();
	if (snprintf(to.sun_path, sizeof(to.sun_path), "%s", path) >= (int)sizeof(to.sun_path))
		return -ENAMETOOLONG;
	int err = check_folder(path);
	if (err < 0)
		return err;
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = bind_private(fd, &to);
	if (err == -EADDRINUSE) {
		cleanup_fd int other = attach_open(path);
		if (other != -ECONNREFUSED)
			return -EADDRINUSE;
		unlink(path); /* nobody answers: it was left behind */
		err = bind_private(fd, &to);
	}
	if (err == 0 && listen(fd, SOMAXCONN) < 0)
		err = -errno;
	return err < 0 ? err : steal_fd(&fd);
}

/* --- serving --- */

/* sd_notify(3): one datagram to the socket in the environment. */
static void tell_service_manager(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	strcpy(to.sun_path, path);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, len) < 0)
		log_warn("the service manager cannot be told: %s", strerror(errno));
}

static bool any_program(const struct state *state)
{
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		if (state->programs[i].slot.used)
			return true;
	return false;
}

/* What came by signal: children, and requests to end. True: end at once. */
static bool read_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;
	while (read(keeper->state->keeping.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR2)
			upgrade_by_signal(keeper->state);
		if (info.ssi_signo == SIGCHLD || info.ssi_signo == SIGUSR2)
			continue;
		if (keeper->state->stopping)
			return true; /* the second time */
		keeper->state->stopping = true;
		tell_service_manager("STOPPING=1");
	}
	for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
		lookup_ended(keeper->state, pid);
	return false;
}

static int loop(struct keeper *keeper)
{
	bool end = false;
	while (!end && !(keeper->state->stopping && !any_program(keeper->state))) {
		struct pollfd fds[] = {{.fd = keeper->state->keeping.signals, .events = POLLIN}};
		keeper_turn(keeper, fds, 1);
		if (fds[0].revents)
			end = read_signals(keeper);
		if (keeper->supervisor < 0)
			keeper_start_supervisor(keeper);
	}
	keeper_stop_supervisor(keeper);
	lookup_stop(keeper->state);
	if (keeper->state->socket_path[0])
		unlink(keeper->state->socket_path);
	return 0;
}

int daemon_run(struct keeper *keeper, int debug_fd)
{
	struct keeping *keeping = &keeper->state->keeping;
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	/* stderr is the service manager's or the terminal's: it stays, at a number of its own */
	int err_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	keeping->warn_fd = debug_fd >= 0 ? -1 : err_fd;
	keeping->debug_fd = debug_fd;
	log_init(keeping->warn_fd, keeping->debug_fd);
	int err = keeper_init(keeper, &signals);
	if (err < 0)
		return 1;
	const int ours[] = {keeper->state->control_fd, err_fd, debug_fd};
	keeper_detach(keeper, ours, sizeof(ours) / sizeof(*ours));
	keeper_start_supervisor(keeper);
	keeper_set_name(keeper, "gs-keeper");
	tell_service_manager("READY=1");
	return loop(keeper);
}

int daemon_go_on(struct keeper *keeper)
{
	keeper_set_name(keeper, "gs-keeper");
	keeper_start_supervisor(keeper);
	return loop(keeper);
}
