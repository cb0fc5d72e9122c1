/*
 * storm-step PID CALLS STEPS SIGNAL: end a process at a point of its own. It goes on until it has
 * entered or left CALLS more system calls, and then for STEPS instructions; there it gets SIGNAL.
 * Says "sent", or "ended" where it ended before. Needs the right to trace it.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t traced;

_Noreturn static void say(const char *what, int status)
{
	puts(what);
	exit(status);
}

/* Wait until it stops; group stops and signals go their way. */
static int next_stop(void)
{
	int status;
	if (waitpid(traced, &status, __WALL) < 0 || !WIFSTOPPED(status))
		say("ended", 0);
	return status;
}

static void go(enum __ptrace_request how, int number)
{
	if (ptrace(how, traced, NULL, (void *)(long)number) < 0)
		say("ended", 0);
}

/* How a stop is left: a signal that was on its way is delivered. */
static int pending(int status)
{
	int number = WSTOPSIG(status);
	return status >> 16 || number & 0x80 || number == SIGTRAP ? 0 : number;
}

static void attach(void)
{
	if (ptrace(PTRACE_SEIZE, traced, NULL, (void *)PTRACE_O_TRACESYSGOOD) < 0) {
		perror("storm-step: PTRACE_SEIZE");
		exit(1);
	}
	puts("attached");
	fflush(stdout);
	go(PTRACE_INTERRUPT, 0);
}

/* Which call it is: for whoever looks for what went wrong. */
static void tell_call(void)
{
	struct __ptrace_syscall_info info = {0};
	ptrace(PTRACE_GET_SYSCALL_INFO, traced, sizeof(info), &info);
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		fprintf(stderr, "enters %llu\n", (unsigned long long)info.entry.nr);
	else
		fprintf(stderr, "leaves with %lld\n", (long long)info.exit.rval);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	traced = (pid_t)atoi(argv[1]);
	long calls = atol(argv[2]), steps = atol(argv[3]);
	attach();
	int status = next_stop();
	while (calls > 0) {
		go(PTRACE_SYSCALL, pending(status));
		status = next_stop();
		if (WSTOPSIG(status) & 0x80) {
			calls--;
			tell_call();
		}
	}
	for (; steps > 0; steps--) {
		go(PTRACE_SINGLESTEP, pending(status));
		status = next_stop();
	}
	int number = atoi(argv[4]);
	if (number == SIGKILL)
		kill(traced, SIGKILL);
	else
		go(PTRACE_DETACH, number);
	say("sent", 0);
}
