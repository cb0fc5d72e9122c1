#include "supervisor/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/command.h"
#include "supervisor/fd.h"
#include "supervisor/hand.h"
#include "supervisor/log.h"
#include "supervisor/lookup.h"
#include "supervisor/supervisor.h"
#include "supervisor/target.h"

#define RETRY_MS     100 /* where no supervisor can be started … */
#define MAX_FAILURES 20  /* … so often */

struct keeper {
	const struct launch *launch;
	struct state *state;
	pid_t command, supervisor;
	int command_socket;
	int signals;
	bool launcher_gone, command_gone;
	int failures; /* to start a supervisor, in a row */
};

/* What ps shows. The command line must not be the launcher's, or `pkill -f` meant for the program
 * would hit us. */
static void set_name(const struct launch *launch, const char *name)
{
	prctl(PR_SET_NAME, name);
	memset(launch->title, 0, launch->title_room);
	for (size_t i = 0; i + 1 < launch->title_room && name[i]; i++)
		launch->title[i] = name[i];
}

static void report(const struct keeper *keeper, uint8_t op, uint8_t stage, int value, uint8_t last)
{
	struct report message = {CONTROL_VERSION, op, stage, last, value};
	if (send(keeper->launch->report_fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		return; /* the launcher is gone: nobody to tell */
}

static void report_started(const struct keeper *keeper)
{
	struct report message = {CONTROL_VERSION, REPORT_STARTED, STAGE_NONE, 0, keeper->command};
	struct iovec iov = {&message, sizeof(message)};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr letter = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control.room,
				.msg_controllen = sizeof(control.room)};
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, keeper->command, 0);
	struct cmsghdr *header = CMSG_FIRSTHDR(&letter);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(pidfd));
	memcpy(CMSG_DATA(header), &pidfd, sizeof(pidfd));
	if (sendmsg(keeper->launch->report_fd, &letter, MSG_NOSIGNAL) < 0)
		return;
}

/* --- the supervisor --- */

/* One descriptor table for both: what the supervisor opens outlives it. */
static void start_supervisor(struct keeper *keeper)
{
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (child == 0) {
		set_name(keeper->launch, "gs-supervisor");
		supervisor_run(keeper->state);
	}
	keeper->supervisor = child;
	if (child < 0)
		log_warn("the supervisor cannot be started: %s", strerror(errno));
}

/* It died: start another, at once the first time and then at a bounded rate. Where none can be
 * started the programs must not wait for ever: their calls fail with ENOSYS once nobody listens. */
static void supervisor_died(struct keeper *keeper, int status)
{
	keeper->supervisor = -1;
	log_debug("the supervisor ended with status 0x%x", (unsigned)status);
	keeper->state->counters.restarts++;
}

static void restart_supervisor(struct keeper *keeper)
{
	start_supervisor(keeper);
	keeper->failures = keeper->supervisor < 0 ? keeper->failures + 1 : 0;
	if (keeper->failures > MAX_FAILURES) {
		log_warn("connections through the tunnel fail from now on");
		close_fd(&keeper->state->notify_fd);
	}
}

static void stop_supervisor(struct keeper *keeper)
{
	if (keeper->supervisor <= 0)
		return;
	kill(keeper->supervisor, SIGKILL);
	waitpid(keeper->supervisor, NULL, 0);
	keeper->supervisor = -1;
}

/* --- start --- */

/* Keep descriptors that are ours, close all that were inherited. 0, 1 and 2 stay taken. */
static void close_inherited(const int *ours, size_t count)
{
	unsigned from = 3;
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	for (;;) {
		unsigned next = UINT32_MAX;
		for (size_t i = 0; i < count; i++)
			if (ours[i] >= (int)from && (unsigned)ours[i] < next)
				next = (unsigned)ours[i];
		if (next > from)
			syscall(SYS_close_range, from, next == UINT32_MAX ? next : next - 1, 0);
		if (next == UINT32_MAX)
			return;
		from = next + 1;
	}
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Tell the launcher what failed and end. */
_Noreturn static void give_up(struct keeper *keeper, int stage, int error)
{
	report(keeper, REPORT_FAILED, (uint8_t)stage, error, 1);
	stop_supervisor(keeper);
	if (keeper->command > 0)
		kill(keeper->command, SIGKILL);
	_exit(1);
}

static int fork_command(struct keeper *keeper)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	/* the secrets are not for the command, not even before it execs */
	madvise(keeper->state, sizeof(*keeper->state), MADV_DONTFORK);
	keeper->command = fork();
	if (keeper->command == 0) {
		close(ends[0]);
		command_run(keeper->launch, ends[1]);
	}
	madvise(keeper->state, sizeof(*keeper->state), MADV_DOFORK);
	close(ends[1]);
	keeper->command_socket = ends[0];
	return keeper->command < 0 ? -errno : 0;
}

/* May we look into what we started? Yama's ptrace_scope 2 and 3 say no, also to an ancestor. */
static int probe_ptrace(const struct keeper *keeper)
{
	static const char probe = 1;
	char found = 0;
	int got = hand_own_read(keeper->command, (uint64_t)(uintptr_t)&probe, &found, 1);
	return got == 1 && found == 1 ? 0 : got < 0 ? got : -EFAULT;
}

static void make_descriptors(struct keeper *keeper)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	keeper->state->supervisor_wakes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	keeper->state->keeper_wakes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	keeper->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (keeper->state->supervisor_wakes < 0 || keeper->state->keeper_wakes < 0 ||
	    keeper->signals < 0)
		give_up(keeper, STAGE_KEEPER, errno);
}

/* Leave the launcher's descriptors, session and limits, once the command has inherited them. */
static void detach(struct keeper *keeper)
{
	const struct launch *launch = keeper->launch;
	const int ours[KEPT_MAX] = {launch->report_fd,
				    launch->warn_fd,
				    launch->debug_fd,
				    keeper->state->supervisor_wakes,
				    keeper->state->keeper_wakes,
				    keeper->state->notify_fd,
				    keeper->signals,
				    keeper->command_socket};
	memcpy(keeper->state->kept, ours, sizeof(ours));
	close_inherited(ours, KEPT_MAX);
	setsid(); /* terminal signals are for the command */
	if (chdir("/") < 0)
		log_debug("chdir: %s", strerror(errno));
	raise_descriptor_limit();
	prctl(PR_SET_DUMPABLE, 0);
}

static void start(struct keeper *keeper)
{
	struct command_word word;
	char go = 1;
	int err = fork_command(keeper);
	if (err < 0)
		give_up(keeper, STAGE_KEEPER, -err);
	keeper->state->notify_fd = command_listener(keeper->command_socket, &word);
	if (keeper->state->notify_fd < 0)
		give_up(keeper, word.stage, word.error);
	err = probe_ptrace(keeper);
	if (err < 0)
		give_up(keeper, STAGE_PTRACE, -err);
	keeper->state->pidfd_thread = target_probe_pidfd_thread();
	make_descriptors(keeper);
	detach(keeper);
	start_supervisor(keeper);
	if (keeper->supervisor < 0)
		give_up(keeper, STAGE_KEEPER, EAGAIN);
	if (send(keeper->command_socket, &go, sizeof(go), MSG_NOSIGNAL) < 0)
		give_up(keeper, STAGE_KEEPER, errno);
	/* nothing more comes when exec succeeds */
	if (recv(keeper->command_socket, &word, sizeof(word), 0) == sizeof(word))
		give_up(keeper, word.stage, word.error);
	close_fd(&keeper->command_socket);
	report_started(keeper);
}

/* --- the loop --- */

/* Is no process with the filter left? The kernel lets go of a filter a moment after its process can
 * be reaped: wait so many milliseconds for it. */
static bool all_gone(const struct keeper *keeper, int patience)
{
	struct pollfd filter = {.fd = keeper->state->notify_fd};
	return filter.fd < 0 || (poll(&filter, 1, patience) > 0 && filter.revents & POLLHUP);
}

_Noreturn static void finish(struct keeper *keeper)
{
	stop_supervisor(keeper);
	_exit(0);
}

static void command_changed(struct keeper *keeper, int status)
{
	if (WIFSTOPPED(status)) {
		report(keeper, REPORT_STOPPED, STAGE_NONE, WSTOPSIG(status), 0);
	} else if (WIFCONTINUED(status)) {
		report(keeper, REPORT_CONTINUED, STAGE_NONE, 0, 0);
	} else {
		keeper->command_gone = true;
		bool last = all_gone(keeper, 1);
		if (last) /* so that nothing of us is left when the launcher returns */
			stop_supervisor(keeper);
		report(keeper, REPORT_EXITED, STAGE_NONE, status, last);
		if (last)
			_exit(0);
	}
}

static void reap(struct keeper *keeper)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;
	while (read(keeper->signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		if (pid == keeper->command)
			command_changed(keeper, status);
		else if (pid == keeper->supervisor && (WIFEXITED(status) || WIFSIGNALED(status)))
			supervisor_died(keeper, status);
	}
}

static void launcher_ended(struct keeper *keeper)
{
	keeper->launcher_gone = true;
	/* it stays until the command ends, unless it was killed: then the command goes too */
	if (!keeper->command_gone)
		kill(keeper->command, SIGKILL);
}

static void loop(struct keeper *keeper)
{
	enum { SIGNALS, WAKE, FILTER, LAUNCHER, COUNT };
	for (;;) {
		struct pollfd fds[COUNT] = {
			[SIGNALS] = {keeper->signals, POLLIN, 0},
			[WAKE] = {keeper->state->keeper_wakes, POLLIN, 0},
			[FILTER] = {keeper->state->notify_fd, 0, 0},
			[LAUNCHER] = {keeper->launcher_gone ? -1 : keeper->launch->report_fd, 0, 0},
		};
		eventfd_t count;
		if (poll(fds, COUNT, keeper->supervisor < 0 ? RETRY_MS : -1) < 0)
			continue;
		if (fds[WAKE].revents) {
			eventfd_read(keeper->state->keeper_wakes, &count);
			hand_serve(keeper->state);
			lookup_run(keeper->state);
		}
		if (fds[LAUNCHER].revents & POLLHUP)
			launcher_ended(keeper);
		if (fds[SIGNALS].revents)
			reap(keeper);
		if (keeper->command_gone && all_gone(keeper, 0))
			finish(keeper);
		if (keeper->supervisor < 0 && keeper->state->notify_fd >= 0 && !all_gone(keeper, 0))
			restart_supervisor(keeper);
	}
}

_Noreturn void keeper_run(const struct launch *launch)
{
	struct keeper keeper = {.launch = launch, .state = launch->state, .supervisor = -1};
	log_init(launch->warn_fd, launch->debug_fd);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start(&keeper);
	set_name(launch, "gs-keeper");
	loop(&keeper);
	_exit(0);
}
