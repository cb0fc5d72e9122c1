#include "supervisor/process/launch.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/loop.h"
#include "supervisor/base/reach.h"
#include "supervisor/kernel/needs.h"
#include "supervisor/kernel/pass.h"
#include "supervisor/process/attach.h"
#include "supervisor/process/command.h"
#include "supervisor/process/keeper.h"
#include "supervisor/process/reissue.h"
#include "supervisor/process/upgrade.h"
#include "supervisor/tunnel/copy.h"
#include "supervisor/tunnel/lookup.h"

#define WAKE_PAUSE 5000000L /* ns between two tries to wake the launcher … */
#define WAKE_TRIES 200      /* … at the end, at most */

#define RETURN_LIMIT   (500 * MILLISECOND) /* for a supervisor that ended to come back … */
#define RETURN_SECONDS 1                   /* … and for each of its answers */
#define TRIAL_LIMIT    (10 * SECOND)       /* for a supervisor to serve the first call */

struct running {
	const struct launch *launch; /* only while it starts */
	struct keeper keeper;
	struct keeping *keeping; /* the keeper's */
	int command_socket;
	int command_fd; /* the other end's number in the command's process */
	bool stopped;   /* the command is … */
	bool continued; /* … or is not any more; and the launcher may not know */
};

/* --- reports to the launcher --- */

static void report(const struct running *running, uint8_t op, uint8_t stage, int value,
		   uint8_t last)
{
	struct report message = {CONTROL_VERSION, op, stage, {last}, value};
	if (send(running->keeping->report_fd, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		return; /* the launcher is gone: nobody to tell */
}

static void report_started(const struct running *running)
{
	struct report message = {
		CONTROL_VERSION, REPORT_STARTED, STAGE_NONE, {0}, running->keeping->command};
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, running->keeping->command, 0);
	if (pass_send(running->keeping->report_fd, &message, sizeof(message), pidfd) < 0)
		return;
}

/* Tell the launcher what failed and end. need: what was forbidden. */
_Noreturn static void give_up_for(struct running *running, int stage, int error, enum need need)
{
	report(running, REPORT_FAILED, (uint8_t)stage, error, (uint8_t)need);
	keeper_stop_supervisor(&running->keeper);
	if (running->keeping->command > 0)
		kill(running->keeping->command, SIGKILL);
	_exit(1);
}

_Noreturn static void give_up(struct running *running, int stage, int error)
{
	give_up_for(running, stage, error, NEED_NONE);
}

/* --- start --- */

static int fork_command(struct running *running)
{
	int ends[2];
	struct state *state = running->keeper.state;
	int memory = state->memory;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	/* the secrets are not for the command, not even before it execs */
	madvise(state, sizeof(*state), MADV_DONTFORK);
	pid_t command = fork();
	if (command == 0) {
		close(ends[0]);
		close(memory);
		command_run(running->launch, ends[1]);
	}
	madvise(state, sizeof(*state), MADV_DOFORK);
	running->keeping->command = command;
	running->command_fd = ends[1];
	close(ends[1]);
	running->command_socket = ends[0];
	return command < 0 ? -errno : 0;
}

/* May we do to what we started all that its calls will need? Yama's ptrace_scope 2 and 3 say no,
 * also to an ancestor, and so may a container's filter. */
static void try_needs(struct running *running)
{
	struct needs needs = {.child = running->keeping->command,
			      .child_fd = running->command_fd,
			      .notify_fd = running->keeping->notify_fd,
			      .trying = running->launch->trying};
	int err = needs_try(&needs);
	if (err < 0)
		give_up_for(running, needs.failed ? STAGE_NEED : STAGE_PTRACE, -err, needs.failed);
}

static void detach(struct running *running)
{
	const struct keeping *keeping = running->keeping;
	const int ours[] = {keeping->report_fd,      keeping->warn_fd,
			    keeping->debug_fd,       keeping->notify_fd,
			    running->command_socket, running->keeper.state->channel_fd};
	keeper_detach(&running->keeper, ours, sizeof(ours) / sizeof(*ours));
}

/* By one of our own. inherited: another has served it, which is gone with what it knew. */
static void serve_ourselves(struct running *running, bool inherited)
{
	struct state *state = running->keeper.state;
	uint32_t program = program_take(state);
	state->programs[program].reach = reach_all();
	state->programs[program].notify_fd = running->keeping->notify_fd;
	state->programs[program].command = running->keeping->command;
	state->programs[program].allow_direct = running->keeping->allow_direct;
	state->programs[program].only_listens = running->keeping->only_listens;
	state->programs[program].connects = running->keeping->connects;
	state->programs[program].inherited = inherited ? loop_now() : 0;
	keeper_start_supervisor(&running->keeper);
}

static uint32_t attach_flags(const struct running *running)
{
	const struct keeping *keeping = running->keeping;
	uint32_t flags = keeping->allow_direct ? ATTACH_DIRECT : 0;
	if (keeping->only_listens)
		flags |= ATTACH_LISTENS;
	if (keeping->connects == CONNECTS_ASYNC)
		flags |= ATTACH_ASYNC;
	else if (keeping->connects == CONNECTS_HOLD)
		flags |= ATTACH_HOLD;
	return flags;
}

/* The filter is served by a supervisor that runs already, or by one of our own. */
static void serve(struct running *running)
{
	struct state *state = running->keeper.state;
	if (state->channel_fd >= 0) {
		int err = attach_program(state->channel_fd, running->keeping->notify_fd,
					 running->keeping->command, attach_flags(running));
		if (err == 0)
			return;
		log_warn("cannot attach to the supervisor (%s): this command runs its own",
			 strerror(-err));
		keeper_close(&running->keeper, &state->channel_fd);
	}
	serve_ourselves(running, false);
}

/* --- who serves --- */

/* Has the supervisor that served us come back, in the place of the one that ended? Then it serves
 * us again. Calls wait for that long in the kernel. */
static bool attach_again(struct running *running)
{
	struct state *state = running->keeper.state;
	const struct timeval limit = {.tv_sec = RETURN_SECONDS};
	cleanup_fd int channel = attach_open(running->keeping->socket_path);
	if (channel < 0)
		return false;
	setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	int err = attach_tunnels(channel, state);
	if (err == 0)
		err = attach_program(channel, running->keeping->notify_fd,
				     running->keeping->command,
				     attach_flags(running) | ATTACH_AGAIN);
	if (err < 0) {
		log_debug("the new supervisor did not accept this command: %s", strerror(-err));
		return false;
	}
	state->channel_fd = steal_fd(&channel);
	return true;
}

static void try_return(struct running *running)
{
	struct keeping *keeping = running->keeping;
	if (attach_again(running)) {
		log_debug("attached to the new supervisor");
		keeping->return_until = 0;
	} else if (loop_now() > keeping->return_until) {
		log_warn("the supervisor that this command was attached to has ended: the command "
			 "now runs its own");
		keeping->return_until = 0;
		serve_ourselves(running, true);
	}
}

/* The supervisor that served us has ended. */
static void channel_ended(struct running *running)
{
	keeper_close(&running->keeper, &running->keeper.state->channel_fd);
	int count = reissue();
	log_debug("the supervisor has ended: %d pending calls were restarted", count);
	running->keeping->return_until = loop_now() + RETURN_LIMIT;
	try_return(running);
}

/* An answer comes twice where a supervisor ended after it had answered. */
static bool channel_is_over(int channel)
{
	char byte;
	ssize_t got;
	while ((got = recv(channel, &byte, sizeof(byte), MSG_DONTWAIT)) > 0)
		;
	return got == 0 || errno != EAGAIN;
}

/* Somebody has to serve the programs; channel: what poll() says of the one that we are attached to.
 */
static void look_after_service(struct running *running, short channel)
{
	struct state *state = running->keeper.state;
	if (channel && channel_is_over(state->channel_fd))
		channel_ended(running);
	else if (running->keeping->return_until)
		try_return(running);
	else if (running->keeper.supervisor < 0 && state->channel_fd < 0)
		keeper_start_supervisor(&running->keeper);
}

/* --- start --- */

/* Help the supervisor until the command's process has said something. */
static void wait_for_word(struct running *running, struct command_word *word)
{
	const struct itimerspec limit = {.it_value = {.tv_sec = TRIAL_LIMIT / SECOND}};
	enum { WORD, LATE, CHANNEL, COUNT };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	keeper_keep(&running->keeper, timer);
	timerfd_settime(timer, 0, &limit, NULL);
	for (;;) {
		struct pollfd fds[COUNT] = {
			[WORD] = {running->command_socket, POLLIN, 0},
			[LATE] = {timer, POLLIN, 0},
			[CHANNEL] = {running->keeper.state->channel_fd, POLLIN, 0},
		};
		keeper_turn(&running->keeper, fds, COUNT);
		if (fds[WORD].revents) {
			if (recv(running->command_socket, word, sizeof(*word), 0) != sizeof(*word))
				give_up(running, STAGE_KEEPER, ECHILD);
			keeper_close(&running->keeper, &timer);
			return;
		}
		if (fds[LATE].revents)
			give_up_for(running, STAGE_NEED, ETIMEDOUT, NEED_ANSWER);
		look_after_service(running, fds[CHANNEL].revents);
	}
}

/* The command's process has a call served, by whoever is to serve it. Until it has become the
 * command it is ours, and there are no others: that it does not get to run is no attack. */
static void try_service(struct running *running)
{
	struct command_word word;
	running->keeper.trying = true;
	wait_for_word(running, &word);
	running->keeper.trying = false;
	if (word.stage == STAGE_NONE)
		return;
	bool attached = running->keeper.state->channel_fd >= 0;
	give_up_for(running, attached ? STAGE_SERVED : word.stage, word.error,
		    (enum need)word.need);
}

/* A filter that forbids seccomp() may end who calls it. */
_Noreturn static void no_listener(struct running *running, const struct command_word *word)
{
	int status = 0;
	if (word->stage == STAGE_KEEPER && word->error == ECHILD &&
	    waitpid(running->keeping->command, &status, 0) == running->keeping->command) {
		running->keeping->command = 0; /* its number may be another's */
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
			give_up(running, STAGE_FILTER, EPERM);
	}
	give_up(running, word->stage, word->error);
}

static void start(struct running *running)
{
	struct command_word word;
	sigset_t child;
	char go = 1;
	int err = fork_command(running);
	if (err < 0)
		give_up(running, STAGE_KEEPER, -err);
	running->keeping->notify_fd = command_listener(running->command_socket, &word);
	if (running->keeping->notify_fd < 0)
		no_listener(running, &word);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigaddset(&child, SIGUSR2);
	sigaddset(&child, COPY_SIGNAL);
	if (running->launch->trying)
		*running->launch->trying = NEED_PIDFD_OPEN; /* of a thread */
	err = keeper_init(&running->keeper, &child);
	if (err < 0)
		give_up(running, STAGE_KEEPER, -err);
	detach(running);
	try_needs(running);
	serve(running);
	if (running->keeper.supervisor < 0 && running->keeper.state->channel_fd < 0)
		give_up(running, STAGE_KEEPER, EAGAIN);
	try_service(running);
	if (send(running->command_socket, &go, sizeof(go), MSG_NOSIGNAL) < 0)
		give_up(running, STAGE_KEEPER, errno);
	/* nothing more comes when exec succeeds */
	if (recv(running->command_socket, &word, sizeof(word), 0) == sizeof(word))
		give_up(running, word.stage, word.error);
	keeper_close(&running->keeper, &running->command_socket);
	report_started(running);
}

/* --- the loop --- */

/* Is no process with the filter left? The kernel may let go of the filter some time after its
 * process can be reaped, so a lack of children counts too. */
static bool all_gone(const struct running *running)
{
	struct pollfd filter = {.fd = running->keeping->notify_fd};
	/* POLLNVAL: it was closed, since no supervisor can be started */
	return !keeper_has_children() ||
	       (poll(&filter, 1, 0) > 0 && filter.revents & (POLLHUP | POLLNVAL));
}

static bool is_read(int reports)
{
	int bytes;
	return ioctl(reports, SIOCOUTQ, &bytes) < 0 || bytes == 0;
}

/* It has stopped as the command did, and cannot read; or it is about to stop, for it had read of
 * nothing else when it looked: so again, until it has read. Nobody else has its number while it is
 * our parent. */
static void wake_launcher(struct running *running)
{
	const struct keeping *keeping = running->keeping;
	if (running->continued && !keeping->launcher_gone && getppid() == keeping->launcher)
		kill(keeping->launcher, SIGCONT);
	running->continued &= !keeping->launcher_gone && !is_read(keeping->report_fd);
	running->keeper.hurried = running->continued;
}

/* Nobody wakes it after us. */
_Noreturn static void leave(struct running *running)
{
	const struct timespec pause = {.tv_nsec = WAKE_PAUSE};
	wake_launcher(running);
	for (int i = 0; i < WAKE_TRIES && running->continued; i++) {
		nanosleep(&pause, NULL);
		wake_launcher(running);
	}
	_exit(0);
}

_Noreturn static void finish(struct running *running)
{
	keeper_stop_supervisor(&running->keeper);
	lookup_stop(running->keeper.state);
	copy_stop(running->keeper.state);
	leave(running);
}

static void command_changed(struct running *running, int status)
{
	if (WIFSTOPPED(status)) {
		running->stopped = true;
		running->continued = false;
		report(running, REPORT_STOPPED, STAGE_NONE, WSTOPSIG(status), 0);
	} else if (WIFCONTINUED(status)) {
		report(running, REPORT_CONTINUED, STAGE_NONE, 0, 0);
		running->stopped = false;
		running->continued = true;
	} else {
		running->keeping->command_gone = true;
		running->continued |= running->stopped; /* waitpid() told of its end alone */
		bool last = all_gone(running);
		if (last) { /* so that nothing of us is left when the launcher returns */
			keeper_stop_supervisor(&running->keeper);
			lookup_stop(running->keeper.state);
			copy_stop(running->keeper.state);
		}
		/* a thread that does not end keeps us here (exit_group(2)): nobody is to wait */
		report(running, REPORT_EXITED, STAGE_NONE, status,
		       last && !running->keeper.state->hand.lost_threads);
		if (last)
			leave(running);
	}
}

static void reap(struct running *running)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;
	while (read(running->keeping->signals, &info, sizeof(info)) > 0)
		if (info.ssi_signo == SIGUSR2)
			upgrade_by_signal(running->keeper.state);
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
		if (pid == running->keeping->command)
			command_changed(running, status);
		else if (!WIFSTOPPED(status) && !WIFCONTINUED(status))
			lookup_ended(running->keeper.state, pid);
}

static void launcher_ended(struct running *running)
{
	running->keeping->launcher_gone = true;
	/* it stays until the command ends, unless it was killed: then the command goes too */
	if (!running->keeping->command_gone)
		kill(running->keeping->command, SIGKILL);
}

_Noreturn static void loop(struct running *running)
{
	struct state *state = running->keeper.state;
	enum { SIGNALS, FILTER, LAUNCHER, CHANNEL, COUNT };
	for (;;) {
		struct pollfd fds[COUNT] = {
			[SIGNALS] = {running->keeping->signals, POLLIN, 0},
			/* once nobody is left it says so without end: then SIGCHLD is waited for */
			[FILTER] = {running->keeping->hung_up ? -1 : running->keeping->notify_fd, 0,
				    0},
			[LAUNCHER] = {running->keeping->launcher_gone ? -1
								      : running->keeping->report_fd,
				      0, 0},
			[CHANNEL] = {state->channel_fd, POLLIN, 0},
		};
		keeper_turn(&running->keeper, fds, COUNT);
		if (fds[LAUNCHER].revents & POLLHUP)
			launcher_ended(running);
		if (fds[SIGNALS].revents)
			reap(running);
		wake_launcher(running);
		running->keeping->hung_up |= (fds[FILTER].revents & (POLLHUP | POLLNVAL)) != 0;
		bool gone = all_gone(running);
		if (running->keeping->command_gone && gone)
			finish(running);
		if (!gone)
			look_after_service(running, fds[CHANNEL].revents);
	}
}

_Noreturn void launch_run(const struct launch *launch)
{
	struct running running = {.launch = launch,
				  .keeper = {.state = launch->state,
					     .keeping = launch->state->keeping,
					     .title = launch->title,
					     .title_room = launch->title_room,
					     .supervisor = -1,
					     .asked = -1}};
	running.keeping = &running.keeper.keeping;
	running.keeping->warn_fd = launch->warn_fd;
	running.keeping->debug_fd = launch->debug_fd;
	running.keeping->report_fd = launch->report_fd;
	running.keeping->launcher = launch->launcher;
	keeper_log(&running.keeper);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start(&running);
	keeper_set_name(&running.keeper, "gs-keeper");
	loop(&running);
}

_Noreturn void launch_go_on(struct keeper *keeper)
{
	struct running running = {.keeper = *keeper, .command_socket = -1};
	running.keeping = &running.keeper.keeping;
	keeper_set_name(&running.keeper, "gs-keeper");
	loop(&running);
}
