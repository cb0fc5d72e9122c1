/* socket.c: a timer's signal ends accept4() and connect() that block, with EINTR; the connect goes
 * on by itself, and another connect() says how far it is. */

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static void interrupt(int signal)
{
	(void)signal;
}

static void interrupting(bool on)
{
	struct itimerval timer = {0};
	if (on)
		timer.it_value.tv_usec = timer.it_interval.tv_usec = 100;
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* In a child, whose timer is not the watchdog's. */
static int body(void *arg)
{
	struct sigaction action = {.sa_handler = interrupt};
	struct sockaddr_in address, full;
	int listener = tcp_listener(&address), busy = full_listener(&full), fd = tcp_socket(0);
	(void)arg;
	sigaction(SIGALRM, &action, NULL);
	interrupting(true);
	int error = error_of(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	interrupting(false);
	expect(error == EINTR, "accept4: %s", strerror(error));

	interrupting(true);
	error = tcp_connect(fd, &full);
	interrupting(false);
	expect(error == EINTR, "connect: %s", strerror(error));
	expect(tcp_state(fd) == TCP_SYN_SENT, "after EINTR the state is %d", tcp_state(fd));
	close(tcp_accept(busy)); /* makes room */
	expect(wait_for(fd, POLLOUT) == POLLOUT, "TCP does not come up");
	error = tcp_connect(fd, &full);
	expect(error == 0, "connect once TCP is up: %s", strerror(error));
	return 0;
}

int main(void)
{
	believe("a timer ends a blocking accept4 and connect; the connect goes on");
	return ended(start(body, NULL)) == 0 ? it_holds() : 1;
}
