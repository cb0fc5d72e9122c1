#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/worker.h"

#define COUNT_MAX 10000

/* Have `wanted` children that run `child`; they end with this process. */
static void have(pid_t *children, long *count, long wanted, void (*child)(int), int argument)
{
	for (; *count < wanted; ++*count) {
		children[*count] = fork();
		if (children[*count] < 0)
			bench_die("fork");
		if (children[*count] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(STDIN_FILENO);
			close(STDOUT_FILENO);
			child(argument);
			_exit(0);
		}
	}
	for (; *count > wanted; --*count) {
		kill(children[*count - 1], SIGKILL);
		waitpid(children[*count - 1], NULL, 0);
	}
	/* one that could not go on says so by ending */
	errno = 0;
	if (waitpid(-1, NULL, WNOHANG) > 0)
		bench_die("a process that was to wait has ended");
	answer_one((uint64_t)*count);
}

static void do_nothing(int unused)
{
	(void)unused;
	pause();
}

void idle_command(char **words)
{
	static pid_t children[COUNT_MAX];
	static long count;
	have(children, &count, word_number(&words, 0, COUNT_MAX), do_nothing, 0);
}

static void wait_in_accept(int listener)
{
	if (accept(listener, NULL, NULL) < 0)
		_exit(1);
}

void block_command(char **words)
{
	static pid_t children[COUNT_MAX];
	static long count;
	static int listener = -1;
	long wanted = word_number(&words, 0, COUNT_MAX), port = word_number(&words, 1, UINT16_MAX);
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (listener < 0) {
		listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		    listen(listener, 16) < 0)
			bench_die("port %ld", port);
	}
	have(children, &count, wanted, wait_in_accept, listener);
}

void which_command(char **words)
{
	(void)words;
	answer_one((uint64_t)getpid());
}
