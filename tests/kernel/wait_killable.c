/* Why the filter is not told WAIT_KILLABLE_RECV (Linux 5.19): with it a program's signals are not
 * handled while its call is held, which for accept() may be for ever. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

struct program {
	int listener[2];
	volatile int handled;
	long result;
};

static struct program *program;

static void handle(int signal)
{
	(void)signal;
	program->handled = 1;
}

static int body(void *arg)
{
	struct sigaction action = {.sa_handler = handle};
	(void)arg;
	sigaction(SIGUSR1, &action, NULL);
	int fd = listen_to(SYS_getppid, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	if (fd == -EINVAL)
		skip("this kernel has no WAIT_KILLABLE_RECV");
	expect(fd >= 0, "no listener: %s", strerror(-fd));
	send_fd(program->listener[1], fd);
	close(fd);
	return call_getppid(&program->result);
}

int main(void)
{
	believe("WAIT_KILLABLE_RECV puts signals off until the call is answered");
	program = shared(sizeof(*program));
	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, program->listener) == 0,
	       "socketpair: %s", strerror(errno));
	pid_t pid = start(body, NULL);
	close(program->listener[1]);
	char byte;
	if (recv(program->listener[0], &byte, 1, MSG_PEEK) != 1)
		return ended(pid); /* it has said why */
	int notify = receive_fd(program->listener[0]);
	uint64_t id = take(notify).id;
	kill(pid, SIGUSR1);
	expect(is_valid(notify, id) && !program->handled, "the signal was handled");
	expect(give(notify, id, 4711, 0) == 0, "SEND: %s", strerror(errno));
	expect(ended(pid) == 0 && program->result == 4711, "the call gave %ld", program->result);
	expect(program->handled, "the signal was never handled");
	return it_holds();
}
