#include "cli/run/run_wait.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/run/run_elf.h"
#include "cli/run/run_need.h"
#include "cli/run/run_setup.h"
#include "protocol/control.h"
#include "protocol/older.h"
#include "supervisor/kernel/pass.h"

#define KEEPER_PAUSE 200000L /* ns between two checks whether it has ended … */
#define KEEPER_TRIES 10000   /* … at most */

struct waiting {
	struct run_wait *wait;
	int signals;
	int pidfd; /* the command's */
	pid_t command;
	int status;       /* what to exit with, once over */
	int signal;       /* what the command died of; 0: nothing */
	bool child_ended; /* perhaps the keeper; its last reports come first */
	bool orphaned;    /* the keeper is gone, the command is our child */
	bool at_end;      /* of the reports */
	bool over;
};

void run_block_signals(struct launch *launch)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &launch->mask);
	/* if the caller ignores SIGCHLD, there is no status to wait for */
	sigaction(SIGCHLD, &plain, &launch->child_action);
}

/* Print the warnings of the supervisor so far; drop them if nobody reads stderr: nothing may
 * wait for that. */
static void print_warnings(const struct waiting *waiting)
{
	char text[PIPE_BUF];
	ssize_t got;
	while ((got = read(waiting->wait->warn_fd, text, sizeof(text))) > 0) {
		struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};
		if (poll(&err, 1, 0) > 0 && err.revents & POLLOUT &&
		    write(STDERR_FILENO, text, (size_t)got) < 0)
			return;
	}
}

/* --- signals --- */

/* A signal from a terminal goes to its whole foreground group, so the command gets it as well. */
static bool reached_the_command(const struct signalfd_siginfo *info)
{
	if (info->ssi_code != SI_KERNEL)
		return false;
	switch (info->ssi_signo) {
	case SIGHUP: /* only the session leader gets SIGHUP from a hang-up */
		return getsid(0) != getpid();
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGWINCH:
	case SIGCONT:
		return true;
	default: /* a timer that was set before us */
		return false;
	}
}

/* Signals not meant to be passed on: the command signals its own group, we have written into a
 * broken pipe, or the keeper wakes us. */
static bool not_for_the_command(const struct waiting *waiting, const struct signalfd_siginfo *info)
{
	pid_t from = (pid_t)info->ssi_pid;
	return info->ssi_code <= 0 && info->ssi_code != SI_TIMER &&
	       (from == waiting->command || from == getpid() || from == waiting->wait->keeper);
}

/* Pass a signal on, with the value that sigqueue(3) gave it. */
static void pass_on(const struct waiting *waiting, const struct signalfd_siginfo *info)
{
	siginfo_t passed = {0};
	if (reached_the_command(info) || not_for_the_command(waiting, info))
		return;
	passed.si_signo = (int)info->ssi_signo;
	passed.si_code = SI_QUEUE;
	passed.si_pid = (pid_t)info->ssi_pid;
	passed.si_uid = info->ssi_uid;
	passed.si_value.sival_ptr = (void *)(uintptr_t)info->ssi_ptr;
	syscall(SYS_pidfd_send_signal, waiting->pidfd, (int)info->ssi_signo,
		info->ssi_code == SI_QUEUE ? &passed : NULL, 0);
}

/* Stop as the command did, so that the shell sees its job stopped; SIGCONT continues from here. */
static void stop_too(int signal)
{
	struct sigaction plain = {.sa_handler = SIG_DFL}, before;
	sigset_t only, mask;
	sigemptyset(&only);
	sigaddset(&only, signal);
	if (signal != SIGSTOP)
		sigaction(signal, &plain, &before);
	kill(getpid(), signal);
	sigprocmask(SIG_UNBLOCK, &only, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (signal != SIGSTOP)
		sigaction(signal, &before, NULL);
}

static void end(struct waiting *waiting, int status)
{
	waiting->over = true;
	waiting->status = status;
}

/* status: as wait(2) has it. */
static void command_ended(struct waiting *waiting, int status)
{
	if (WIFSIGNALED(status))
		waiting->signal = WTERMSIG(status);
	end(waiting, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* Our parent must see the same end as that of the command. The core dump is the command's. */
static void die_of(int signal)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t only;
	prctl(PR_SET_DUMPABLE, 0);
	sigaction(signal, &plain, NULL);
	kill(getpid(), signal);
	sigemptyset(&only);
	sigaddset(&only, signal);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
}

/* The keeper was killed. We are a subreaper: the command is our child now, and its supervisor
 * keeps running until something ends it. */
static void keeper_ended(struct waiting *waiting, int status)
{
	uint8_t trying = waiting->wait->trying ? *waiting->wait->trying : NEED_NONE;
	waiting->orphaned = true;
	if (waiting->command) {
		run_error("gs-keeper was killed: the command keeps running, but gs-supervisor is "
			  "no longer replaced if it ends");
		return;
	}
	if (trying && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		run_explain_need(trying, EPERM, false);
	else
		run_error("the command was not started: gs-keeper was killed");
	end(waiting, 1);
}

/* A child has changed: the keeper, or, once that is gone, the command. */
static void look_after_children(struct waiting *waiting)
{
	int status;
	waiting->child_ended = false;
	if (waiting->over)
		return;
	/* no signal is read before the command exists: a keeper that ends closes its reports
	 * before it can be waited for */
	int how = waiting->at_end && waiting->pidfd < 0 ? 0 : WNOHANG;
	if (!waiting->orphaned && waitpid(waiting->wait->keeper, &status, how) > 0)
		keeper_ended(waiting, status);
	if (!waiting->orphaned || waiting->over ||
	    waitpid(waiting->command, &status, WNOHANG | WUNTRACED) != waiting->command)
		return;
	if (WIFSTOPPED(status))
		stop_too(WSTOPSIG(status));
	else
		command_ended(waiting, status);
}

static void read_signals(struct waiting *waiting)
{
	struct signalfd_siginfo info;
	while (read(waiting->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD && info.ssi_code > 0)
			waiting->child_ended = true;
		else
			pass_on(waiting, &info);
	}
}

/* --- reports --- */

static long yama_scope(void)
{
	char text[16] = "";
	int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	return got > 0 ? strtol(text, NULL, 10) : -1;
}

static void explain_filter(int error)
{
	if (error == EBUSY)
		run_error("another seccomp listener is already active here (a container?), and the "
			  "kernel allows only one; start the command outside of it");
	else if (error == EINVAL || error == ENOSYS || error == EACCES || error == EPERM)
		run_error(
			"this kernel or container does not allow seccomp user notifications (%s); "
			"use Linux 5.10 or newer, and allow the call seccomp(): docker, podman: a "
			"seccomp profile that allows seccomp; systemd: SystemCallFilter=seccomp "
			"pidfd_getfd; nspawn: --system-call-filter=\"seccomp pidfd_getfd\"",
			strerror(error));
	else
		run_error("cannot install the seccomp filter: %s", strerror(error));
}

int run_explain_exec(const char *command, int error)
{
	if (error == ENOENT && run_elf_exists(command)) {
		run_error("%s: the interpreter that it names does not exist; check its first line, "
			  "or with ldd(1) that this machine has its loader",
			  command);
		return 126;
	}
	if (error == ENOENT) {
		run_error("%s: command not found; check its name, and PATH", command);
		return 127;
	}
	run_error("cannot run %s: %s; check that it is a program, and executable by you", command,
		  strerror(error));
	return 126;
}

static int explain_failure(const struct waiting *waiting, const struct report *report)
{
	switch (report->stage) {
	case STAGE_EXEC:
		return run_explain_exec(waiting->wait->command, report->value);
	case STAGE_FILTER:
		explain_filter(report->value);
		return 1;
	case STAGE_PTRACE:
		if (yama_scope() > 1)
			run_error("kernel.yama.ptrace_scope is %ld: the command may not be traced; "
				  "set it to 1 or 0, or run this as root",
				  yama_scope());
		else
			run_error("the kernel does not allow tracing the command: %s",
				  strerror(report->value));
		return 1;
	case STAGE_NEED:
	case STAGE_SERVED:
		run_explain_need(report->need, report->value, report->stage == STAGE_SERVED);
		return 1;
	default:
		run_error("cannot start: %s", strerror(report->value));
		return 1;
	}
}

static bool more_reports(const struct waiting *waiting)
{
	struct pollfd reports = {.fd = waiting->wait->report_fd, .events = POLLIN};
	return poll(&reports, 1, 0) > 0 && !(reports.revents & POLLHUP && waiting->at_end);
}

/* It ends at once, unless closing a file of a program delays it; we do not wait for that. */
static void await_keeper(pid_t keeper)
{
	const struct timespec pause = {.tv_nsec = KEEPER_PAUSE};
	for (int i = 0; i < KEEPER_TRIES && waitpid(keeper, NULL, WNOHANG) == 0; i++)
		nanosleep(&pause, NULL);
}

static void take_report(struct waiting *waiting, const struct report *report)
{
	switch (report->op) {
	case REPORT_STARTED:
		waiting->command = report->value;
		return;
	case REPORT_STOPPED:
		print_warnings(waiting);
		if (!more_reports(waiting)) /* else it is out of date */
			stop_too(report->value);
		return;
	case REPORT_FAILED:
		end(waiting, explain_failure(waiting, report));
		return;
	case REPORT_EXITED:
		command_ended(waiting, report->value);
		if (report->last) /* then the keeper ends too: leave nothing behind */
			await_keeper(waiting->wait->keeper);
		return;
	}
}

static void read_report(struct waiting *waiting)
{
	struct report report;
	int fd, got = pass_receive(waiting->wait->report_fd, &report, sizeof(report), &fd);
	if (got == -EINTR)
		return;
	if (got != sizeof(report)) { /* the keeper is gone; SIGCHLD comes too */
		waiting->child_ended = waiting->at_end = true;
		return;
	}
	if (fd >= 0)
		waiting->pidfd = fd;
	take_report(waiting, &report);
}

/* A reader that waits for the end of the command's output must not wait for us. */
static void let_go(const struct waiting *waiting)
{
	const int kept[] = {waiting->signals, waiting->wait->report_fd, waiting->wait->warn_fd};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	unsigned from = 3;
	for (;;) {
		unsigned next = UINT32_MAX;
		for (size_t i = 0; i < 3; i++)
			if (kept[i] >= (int)from && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		syscall(SYS_close_range, from, next == UINT32_MAX ? next : next - 1, 0);
		if (next == UINT32_MAX)
			return;
		from = next + 1;
	}
}

int run_wait(struct run_wait *wait)
{
	sigset_t all;
	sigfillset(&all);
	struct waiting waiting = {.wait = wait, .pidfd = -1};
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	waiting.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	let_go(&waiting);
	while (!waiting.over) {
		/* until the command exists, its signals wait */
		struct pollfd fds[] = {{waiting.pidfd < 0 ? -1 : waiting.signals, POLLIN, 0},
				       {waiting.at_end ? -1 : wait->report_fd, POLLIN, 0},
				       {wait->warn_fd, POLLIN, 0}};
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[0].revents)
			read_signals(&waiting);
		if (fds[2].revents & POLLIN)
			print_warnings(&waiting);
		else if (fds[2].revents) /* no writer is left, or there is none with -d */
			close(wait->warn_fd), wait->warn_fd = -1;
		if (fds[1].revents)
			read_report(&waiting);
		if (waiting.child_ended && !more_reports(&waiting))
			look_after_children(&waiting);
	}
	print_warnings(&waiting);
	if (waiting.signal)
		die_of(waiting.signal);
	return waiting.status;
}
