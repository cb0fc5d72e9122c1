#include "supervisor/process/daemon.h"

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

#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/log_target.h"
#include "supervisor/process/attach.h"
#include "supervisor/process/service.h"
#include "supervisor/process/upgrade.h"
#include "supervisor/tunnel/copy.h"
#include "supervisor/tunnel/lookup.h"

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

/* A socket that nobody answers at was left behind; what is no socket refuses in the same way. */
static bool left_behind(const char *path)
{
	struct stat stat;
	if (lstat(path, &stat) < 0 || !S_ISSOCK(stat.st_mode))
		return false;
	cleanup_fd int other = attach_open(path);
	return other == -ECONNREFUSED;
}

int daemon_listen(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	cleanup_fd int passed = service_socket();
	if (!path)
		return passed < 0 ? passed : steal_fd(&passed);
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
		if (!left_behind(path))
			return -EADDRINUSE;
		unlink(path);
		err = bind_private(fd, &to);
	}
	if (err == 0 && listen(fd, SOMAXCONN) < 0)
		err = -errno;
	return err < 0 ? err : steal_fd(&fd);
}

/* --- serving --- */

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
	while (read(keeper->keeping.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR2)
			upgrade_by_signal(keeper->state);
		if (info.ssi_signo == SIGCHLD || info.ssi_signo == SIGUSR2 ||
		    info.ssi_signo == COPY_SIGNAL)
			continue;
		service_tell("STOPPING=1");
		/* a service manager does not wait; and the second time nobody does */
		if (keeper->state->stopping || service_is_managed())
			return true;
		keeper->state->stopping = true;
	}
	for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
		lookup_ended(keeper->state, pid);
	return false;
}

static bool is_over(const struct state *state)
{
	return state->stopping && !any_program(state);
}

static int loop(struct keeper *keeper)
{
	struct state *state = keeper->state;
	enum { SIGNALS, WATCHDOG, COUNT };
	bool end = false;
	while (!end && !is_over(state)) {
		struct pollfd fds[COUNT] = {
			[SIGNALS] = {keeper->keeping.signals, POLLIN, 0},
			[WATCHDOG] = {keeper->keeping.watchdog, POLLIN, 0},
		};
		keeper_turn(keeper, fds, COUNT);
		if (fds[WATCHDOG].revents)
			service_tick(keeper);
		if (fds[SIGNALS].revents)
			end = read_signals(keeper);
		if (keeper->supervisor < 0)
			keeper_start_supervisor(keeper);
	}
	keeper_stop_supervisor(keeper);
	lookup_stop(state);
	copy_stop(state);
	if (!is_over(state) && service_store(keeper))
		return 0; /* the socket too: its path stays */
	if (keeper->keeping.socket_path[0])
		unlink(keeper->keeping.socket_path);
	return 0;
}

static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGCHLD);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGUSR2);
	sigaddset(signals, COPY_SIGNAL);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

int daemon_run(struct keeper *keeper, int debug_fd)
{
	struct keeping *keeping = &keeper->keeping;
	sigset_t signals;
	*keeping = keeper->state->keeping;
	block_signals(&signals);
	/* stderr is the service manager's or the terminal's: it stays, at a number of its own */
	int err_fd = log_target_stderr();
	keeping->warn_fd = debug_fd >= 0 ? -1 : err_fd;
	keeping->debug_fd = debug_fd;
	keeper_log(keeper);
	int err = keeper_init(keeper, &signals);
	if (err < 0)
		return 1;
	keeping->watchdog = service_watchdog();
	const int ours[] = {keeper->state->control_fd, err_fd, debug_fd, keeping->watchdog};
	keeper_detach(keeper, ours, sizeof(ours) / sizeof(*ours));
	keeper_start_supervisor(keeper);
	keeper_set_name(keeper, "gs-keeper");
	service_tell("READY=1");
	return loop(keeper);
}

int daemon_go_on(struct keeper *keeper)
{
	keeper_set_name(keeper, "gs-keeper");
	keeper_start_supervisor(keeper);
	return loop(keeper);
}

int daemon_come_back(struct keeper *keeper)
{
	sigset_t signals;
	block_signals(&signals);
	keeper_replace(keeper);
	service_tell("READY=1");
	return daemon_go_on(keeper);
}
