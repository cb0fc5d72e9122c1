#include "cli/run_wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/run_setup.h"
#include "protocol/control.h"
#include "supervisor/pass.h"

struct waiting {
	struct run_wait *wait;
	int signals;
	int pidfd; /* the command's */
	pid_t command;
	int status; /* what to exit with, once over */
	bool over;
};

void run_block_signals(struct launch *launch)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &launch->mask);
	/* where the caller ignores SIGCHLD, no status could be waited for */
	sigaction(SIGCHLD, &plain, &launch->child_action);
}

/* Print what the supervisor warned of so far. */
static void print_warnings(const struct waiting *waiting)
{
	char text[4096];
	ssize_t got;
	while ((got = read(waiting->wait->warn_fd, text, sizeof(text))) > 0)
		if (write(STDERR_FILENO, text, (size_t)got) < 0)
			return;
}

/* --- signals --- */

/* Pass a signal on, with the value that sigqueue(3) gave it. What the terminal sends has reached
 * the command already, as has what the command sends to its own group. */
static void pass_on(const struct waiting *waiting, const struct signalfd_siginfo *info)
{
	siginfo_t passed = {0};
	bool queued = info->ssi_code == SI_QUEUE;
	if (info->ssi_code > 0 || waiting->pidfd < 0 || info->ssi_pid == (uint32_t)waiting->command)
		return;
	passed.si_signo = (int)info->ssi_signo;
	passed.si_code = SI_QUEUE;
	passed.si_pid = (pid_t)info->ssi_pid;
	passed.si_uid = info->ssi_uid;
	passed.si_value.sival_ptr = (void *)(uintptr_t)info->ssi_ptr;
	syscall(SYS_pidfd_send_signal, waiting->pidfd, (int)info->ssi_signo,
		queued ? &passed : NULL, 0);
}

static void read_signals(const struct waiting *waiting)
{
	struct signalfd_siginfo info;
	while (read(waiting->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD || info.ssi_code <= 0)
			pass_on(waiting, &info);
}

/* Stop as the command did, so that the shell sees its job stopped; SIGCONT goes on from here. */
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
		run_error("this runs under a seccomp listener already (another globus-streams-run, "
			  "or "
			  "a container's): the kernel allows one; start the command outside of it");
	else if (error == EINVAL || error == ENOSYS || error == EACCES || error == EPERM)
		run_error(
			"this kernel or container does not allow seccomp user notifications (%s): "
			"Linux 5.14 or later is needed, and a container profile that permits them",
			strerror(error));
	else
		run_error("the filter cannot be installed: %s", strerror(error));
}

static int explain_failure(const struct waiting *waiting, const struct report *report)
{
	switch (report->stage) {
	case STAGE_EXEC:
		run_error("%s: %s", waiting->wait->command,
			  report->value == ENOENT ? "command not found" : strerror(report->value));
		return report->value == ENOENT ? 127 : 126;
	case STAGE_FILTER:
		explain_filter(report->value);
		return 1;
	case STAGE_PTRACE:
		if (yama_scope() > 1)
			run_error(
				"kernel.yama.ptrace_scope is %ld, so that nobody may look into the "
				"command: it has to be 1 or 0, or run this as root",
				yama_scope());
		else
			run_error("the kernel does not let us look into the command: %s",
				  strerror(report->value));
		return 1;
	default:
		run_error("cannot start: %s", strerror(report->value));
		return 1;
	}
}

static void end(struct waiting *waiting, int status)
{
	waiting->over = true;
	waiting->status = status;
}

static void take_report(struct waiting *waiting, const struct report *report)
{
	switch (report->op) {
	case REPORT_STARTED:
		waiting->command = report->value;
		return;
	case REPORT_STOPPED:
		print_warnings(waiting);
		stop_too(report->value);
		return;
	case REPORT_FAILED:
		end(waiting, explain_failure(waiting, report));
		return;
	case REPORT_EXITED:
		end(waiting, WIFSIGNALED(report->value) ? 128 + WTERMSIG(report->value)
							: WEXITSTATUS(report->value));
		if (report->last) /* then the keeper ends too: leave nothing behind */
			waitpid(waiting->wait->keeper, NULL, 0);
		return;
	}
}

static void read_report(struct waiting *waiting)
{
	struct report report;
	int fd, got = pass_receive(waiting->wait->report_fd, &report, sizeof(report), &fd);
	if (got == -EINTR)
		return;
	if (got != sizeof(report)) {
		run_error("gs-keeper was ended: connections through the tunnel fail from now on");
		end(waiting, 1);
		return;
	}
	if (fd >= 0)
		waiting->pidfd = fd;
	take_report(waiting, &report);
}

/* Whoever waits for the end of what the command writes must not wait for us. */
static void let_go(const struct waiting *waiting)
{
	const int kept[] = {waiting->signals, waiting->wait->report_fd, waiting->wait->warn_fd};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	for (int fd = 3, end = (int)sysconf(_SC_OPEN_MAX); fd < end && fd < 1024; fd++)
		if (fd != kept[0] && fd != kept[1] && fd != kept[2])
			close(fd);
}

int run_wait(struct run_wait *wait)
{
	sigset_t all;
	sigfillset(&all);
	struct waiting waiting = {.wait = wait, .pidfd = -1};
	waiting.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	let_go(&waiting);
	while (!waiting.over) {
		struct pollfd fds[] = {{waiting.signals, POLLIN, 0},
				       {wait->report_fd, POLLIN, 0},
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
	}
	print_warnings(&waiting);
	return waiting.status;
}
