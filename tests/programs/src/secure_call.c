/*
 * secure-call PID NUMBER ARGUMENT…: have a process make a system call, as an intruder in it would.
 * An argument is a number, or a text that is put into its memory. Says "returned N", or "signal N"
 * where the call ended in one. Needs the right to trace it.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define RED_ZONE 128
#define IN_CALL  (SIGTRAP | 0x80)

static pid_t traced;

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static int next_stop(void)
{
	int status;
	must(waitpid(traced, &status, __WALL), "waitpid");
	if (!WIFSTOPPED(status)) {
		fprintf(stderr, "it ended: 0x%x\n", (unsigned)status);
		exit(1);
	}
	return status;
}

static int go_on(void)
{
	must(ptrace(PTRACE_SYSCALL, traced, NULL, NULL), "SYSCALL");
	return WSTOPSIG(next_stop());
}

/* Below the stack that is in use. */
static unsigned long long put_text(unsigned long long *stack, const char *text)
{
	long words[16] = {0};
	snprintf((char *)words, sizeof(words), "%s", text);
	*stack -= sizeof(words);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		must(ptrace(PTRACE_POKEDATA, traced, *stack + i * sizeof(long), words[i]),
		     "POKEDATA");
	return *stack;
}

int main(int argc, char **argv)
{
	struct user_regs_struct regs;
	unsigned long long values[6] = {0};
	if (argc < 3 || argc > 9)
		return 2;
	traced = (pid_t)atoi(argv[1]);
	must(ptrace(PTRACE_SEIZE, traced, NULL, (void *)PTRACE_O_TRACESYSGOOD), "SEIZE");
	must(ptrace(PTRACE_INTERRUPT, traced, NULL, NULL), "INTERRUPT");
	next_stop();
	must(ptrace(PTRACE_GETREGS, traced, NULL, &regs), "GETREGS");
	unsigned long long stack = (regs.rsp - RED_ZONE) & ~15ull;
	for (int i = 3; i < argc; i++) {
		char *end;
		long number = strtol(argv[i], &end, 0);
		values[i - 3] = *end ? put_text(&stack, argv[i]) : (unsigned long long)number;
	}
	/* it waits in a call: the instruction that made it is behind it */
	regs.rip -= 2;
	regs.orig_rax = (unsigned long long)-1; /* that call is not made again */
	regs.rsp = stack;
	regs.rax = strtoull(argv[2], NULL, 0);
	regs.rdi = values[0], regs.rsi = values[1], regs.rdx = values[2];
	regs.r10 = values[3], regs.r8 = values[4], regs.r9 = values[5];
	must(ptrace(PTRACE_SETREGS, traced, NULL, &regs), "SETREGS");
	int number = go_on(); /* enters the call */
	number = go_on();     /* leaves it */
	must(ptrace(PTRACE_GETREGS, traced, NULL, &regs), "GETREGS");
	if (number == IN_CALL)
		number = go_on();
	if (number != SIGSYS) {
		printf("returned %lld\n", (long long)regs.rax);
		kill(traced, SIGKILL);
		return 0;
	}
	printf("signal %d\n", number);
	ptrace(PTRACE_DETACH, traced, NULL, (void *)(long)number);
	return 0;
}
