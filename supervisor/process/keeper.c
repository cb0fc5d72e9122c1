#include "supervisor/process/keeper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "protocol/older.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/loop.h"
#include "supervisor/base/numbers.h"
#include "supervisor/dispatch/supervisor.h"
#include "supervisor/kernel/privileges.h"
#include "supervisor/kernel/target.h"
#include "supervisor/process/chore_run.h"
#include "supervisor/process/hand_serve.h"
#include "supervisor/process/upgrade.h"
#include "supervisor/process/watchdog.h"
#include "supervisor/tunnel/copy.h"
#include "supervisor/tunnel/lan.h"
#include "supervisor/tunnel/lookup.h"

#define RETRY_MS     20 /* where supervisors cannot be started, or die at once … */
#define MAX_FAILURES 50 /* … so often in a row */
#define AT_ONCE      (15 * MILLISECOND)
#define MAX_FDS      10
#define LOST_MS      200 /* between two looks at those that do not end */
#define HURRY_MS     5   /* … and at what does not tell us */

void keeper_set_name(const struct keeper *keeper, const char *name)
{
	prctl(PR_SET_NAME, name);
	memset(keeper->title, 0, keeper->title_room);
	for (size_t i = 0; i + 1 < keeper->title_room && name[i]; i++)
		keeper->title[i] = name[i];
}

void keeper_log(const struct keeper *keeper)
{
	struct log_shape shape = keeper->state->log;
	shape.lines = keeper->state->limits.most[LIMIT_LOG_LINES];
	log_init(keeper->keeping.warn_fd, keeper->keeping.debug_fd);
	log_be(&shape);
}

/* Closing the log's reader, or a limit for the size of files, must not end us; nor must the
 * watchdog end a supervisor that has just started. */
static void outlive_the_log(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigaddset(&set, SIGXFSZ);
	sigaddset(&set, SIGALRM); /* for a supervisor that is ready for it (socket_init) */
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int keeper_init(struct keeper *keeper, const sigset_t *signals)
{
	struct state *state = keeper->state;
	keeper->supervisor = keeper->asked = -1;
	lookup_init(keeper->keeping.cli);
	outlive_the_log();
	state->pidfd_thread = target_probe_pidfd_thread();
	state->supervisor_wakes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	state->keeper_wakes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	state->ticks = watchdog_open();
	keeper->keeping.signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return state->supervisor_wakes < 0 || state->keeper_wakes < 0 || state->ticks < 0 ||
			       keeper->keeping.signals < 0
		       ? -errno
		       : 0;
}

/* --- the supervisor --- */

/* A launch's own programs have no other supervisor; launches that are attached start their own once
 * the connection to us has ended. */
static void let_go(struct state *state)
{
	log_warn(state->control_fd < 0
			 ? "no supervisor keeps running: connections through tunnels fail from now "
			   "on"
			 : "no supervisor keeps running: attached commands go on with their own");
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		close_fd(&state->programs[i].notify_fd);
	for (uint32_t i = 0; i < MAX_CLIENTS; i++)
		close_fd(&state->clients[i]);
	state->upgrade.client = NONE;
}

/* libcrypto begins once in a process: where there is no memory then, it never works, and it would
 * not in any supervisor to come. */
static bool memory_is_left(void)
{
	const size_t enough = 1 << 20;
	void *probe =
		mmap(NULL, enough, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return probe != MAP_FAILED && munmap(probe, enough) == 0;
}

/* One descriptor table for both: what the supervisor opens outlives it. It sends no SIGCHLD and is
 * not among the children that waitpid() speaks of, so that those are the command's alone. */
void keeper_start_supervisor(struct keeper *keeper)
{
	struct state *state = keeper->state;
	uint64_t now = loop_now();
	if (keeper->failures && now - keeper->started < RETRY_MS * MILLISECOND)
		return;
	keeper->started = now;
	if (keeper->failures > MAX_FAILURES) {
		let_go(state);
		keeper->failures = 0;
		return;
	}
	if (state->counters.restarts && memory_is_left())
		lan_warm_up(); /* calls wait: those to come need not spend the time */
	close_fd(&state->supervisor_pidfd);
	state->hand.keeper = getpid();
	state->work.number = (state->work.number | 1) + 1; /* it is at nothing yet */
	state->work.asks = false;
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_PIDFD, NULL,
				     &state->supervisor_pidfd, NULL, 0);
	if (child == 0) {
		keeper_set_name(keeper, "gs-supervisor");
		supervisor_run(state);
	}
	keeper->supervisor = child;
	if (child >= 0)
		return;
	keeper->failures++;
	log_warn("cannot start the supervisor: %s", strerror(errno));
}

void keeper_stop_supervisor(struct keeper *keeper)
{
	watchdog_end_supervisor(keeper);
	hand_end(keeper);
}

/* It tried a forbidden call: an error in it, or it was compromised. */
static void tell_forbidden(int number)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	log_warn("the supervisor was ended: it tried system call %d (%s), which it must not use; "
		 "another one continues; please report this",
		 number, name ? name : "unknown");
	free(name);
}

/* Has it ended? One that was stopped is ended: programs must not wait for it, and a second one
 * beside it would do everything twice. */
static void look_after_supervisor(struct keeper *keeper)
{
	int status = 0;
	if (keeper->supervisor < 0 ||
	    waitpid(keeper->supervisor, &status, __WCLONE | WNOHANG | WUNTRACED) <= 0)
		return;
	if (WIFSTOPPED(status)) {
		kill(keeper->supervisor, SIGKILL);
		return;
	}
	keeper->supervisor = -1;
	keeper->failures = loop_now() - keeper->started < AT_ONCE ? keeper->failures + 1 : 0;
	keeper->state->counters.restarts++;
	log_debug("the supervisor ended with status 0x%x", (unsigned)status);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		tell_forbidden(keeper->state->forbidden_call);
}

bool keeper_has_children(void)
{
	siginfo_t info;
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* --- leaving the caller --- */

static void leave_standard_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

/* Keep descriptors that are ours, close all that were inherited. 0, 1 and 2 stay taken. */
static void close_inherited(const int *ours)
{
	unsigned from = 3;
	leave_standard_streams();
	for (;;) {
		unsigned next = UINT32_MAX;
		for (size_t i = 0; i < KEPT_MAX; i++)
			if (ours[i] >= (int)from && (unsigned)ours[i] < next)
				next = (unsigned)ours[i];
		if (next > from)
			syscall(SYS_close_range, from, next == UINT32_MAX ? next : next - 1, 0);
		if (next == UINT32_MAX)
			return;
		from = next + 1;
	}
}

void keeper_raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void drop_privileges(void)
{
	int err = privileges_drop(true);
	if (err < 0)
		log_warn("cannot drop privileges: %s", strerror(-err));
}

static void leave(void)
{
	setsid(); /* terminal signals are for the command */
	if (chdir("/") < 0)
		log_debug("cannot change to the folder /: %s", strerror(errno));
	keeper_raise_limit();
	drop_privileges();
}

void keeper_detach(struct keeper *keeper, const int *ours, size_t count)
{
	struct state *state = keeper->state;
	int *kept = state->kept;
	assert(count + 5 <= KEPT_MAX);
	memcpy(kept, ours, count * sizeof(*ours));
	kept[count++] = keeper->keeping.memory;
	kept[count++] = keeper->keeping.signals;
	kept[count++] = state->supervisor_wakes;
	kept[count++] = state->keeper_wakes;
	kept[count++] = state->ticks;
	close_inherited(kept);
	leave();
	numbers_fill();
}

void keeper_adopt(struct keeper *keeper)
{
	drop_privileges();
	numbers_fill();
	lookup_init(keeper->keeping.cli);
	outlive_the_log();
	keeper->supervisor = keeper->asked = -1;
	hand_adopt(keeper->state);
	chore_adopt(keeper->state);
	keeper->state->ticking = false;
	keeper->state->counters.restarts++; /* there is something to take over */
}

/* A timer is not stored. */
static void open_ticks(struct state *state)
{
	int before = state->ticks;
	state->ticks = watchdog_open();
	for (int i = 0; i < KEPT_MAX; i++)
		if (state->kept[i] == before)
			state->kept[i] = state->ticks;
}

void keeper_replace(struct keeper *keeper)
{
	const struct keeping *keeping = &keeper->keeping;
	if (keeping->warn_fd >= 0) /* there may be another stderr by now */
		dup3(STDERR_FILENO, keeping->warn_fd, O_CLOEXEC);
	leave_standard_streams();
	leave();
	open_ticks(keeper->state);
	keeper_log(keeper);
	keeper_adopt(keeper);
}

void keeper_keep(struct keeper *keeper, int fd)
{
	int *kept = keeper->state->kept, i = 0;
	while (i < KEPT_MAX && kept[i] >= 0)
		i++;
	assert(i < KEPT_MAX);
	kept[i] = fd;
}

/* Closed before it is forgotten: a supervisor that takes over in between leaves it alone. */
void keeper_close(struct keeper *keeper, int *fd)
{
	int closed = steal_fd(fd);
	numbers_close(closed);
	for (int i = 0; closed >= 0 && i < KEPT_MAX; i++)
		if (keeper->state->kept[i] == closed)
			keeper->state->kept[i] = -1;
}

/* --- the loop --- */

void keeper_turn(struct keeper *keeper, struct pollfd *fds, size_t count)
{
	struct pollfd all[MAX_FDS];
	eventfd_t wakes;
	bool missing = keeper->supervisor < 0 && keeper->state->channel_fd < 0;
	memcpy(all, fds, count * sizeof(*fds));
	all[count] = (struct pollfd){.fd = keeper->state->keeper_wakes, .events = POLLIN};
	all[count + 1] =
		(struct pollfd){.fd = keeper->supervisor < 0 ? -1 : keeper->state->supervisor_pidfd,
				.events = POLLIN};
	all[count + 2] = (struct pollfd){.fd = keeper->asked, .events = POLLIN};
	all[count + 3] = (struct pollfd){.fd = keeper->state->ticks, .events = POLLIN};
	bool lost = watchdog_reap(keeper);
	int limit = keeper->hurried ? HURRY_MS : missing ? RETRY_MS : lost ? LOST_MS : -1;
	if (poll(all, (nfds_t)count + 4, limit) < 0) {
		/* where the limit for descriptors was lowered to less than these, there is nothing
		 * to wait for */
		struct timespec pause = {.tv_nsec = RETRY_MS * (long)MILLISECOND};
		if (errno != EINTR)
			nanosleep(&pause, NULL);
		look_after_supervisor(keeper);
		return;
	}
	if (all[count].revents) {
		eventfd_read(keeper->state->keeper_wakes, &wakes);
		hand_look_after(keeper);
		lookup_run(keeper->state);
		chore_run(keeper);
		upgrade_begin(keeper);
	}
	copy_run(keeper->state, keeper->keeping.shim); /* after each signal too */
	if (all[count + 2].revents)
		upgrade_answered(keeper);
	if (all[count + 3].revents)
		watchdog_tick(keeper);
	look_after_supervisor(keeper);
	memcpy(fds, all, count * sizeof(*fds));
}
