/* socket.h: close() of the last descriptor of a socket with SO_LINGER waits for its bytes to be
 * taken; any signal ends that, SIGKILL or one that is handled. */

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static void interrupt(int signal)
{
	(void)signal;
}

static int closes(void *fd)
{
	struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGSTOP);
	return close(*(int *)fd);
}

static int full_socket(void)
{
	static const char bytes[1 << 16];
	struct linger linger = {1, 3600};
	int fd, peer;
	tcp_pair(&fd, &peer);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	return fd;
}

static int end_by(int signal)
{
	int fd = full_socket();
	pid_t pid = start(closes, &fd);
	wait_state(pid, 'T');
	close(fd);
	kill(pid, SIGCONT); /* the child has the last */
	wait_state(pid, 'S');
	kill(pid, signal);
	return ended(pid);
}

int main(void)
{
	believe("close() that lingers is ended by a signal");
	expect(end_by(SIGUSR1) == 0, "close() fails when a signal is handled");
	expect(end_by(SIGKILL) == -SIGKILL, "it was not killed");
	return it_holds();
}
