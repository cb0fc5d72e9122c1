/* connect.c, accept.c: a signal ends accept() with SO_RCVTIMEO and connect() with SO_SNDTIMEO with
 * EINTR even where its handler was set with SA_RESTART (signal(7)). Without a time limit they go
 * on. */

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

#define SIGNALS 20 /* how many do not end a call */

static volatile int *handled;

static void handle(int signal)
{
	(void)signal;
	++*handled;
}

static void limit(int fd, int option)
{
	struct timeval long_time = {.tv_sec = 3600};
	expect(setsockopt(fd, SOL_SOCKET, option, &long_time, sizeof(long_time)) == 0,
	       "a time limit: %s", strerror(errno));
}

/* In children, whose timer is not the watchdog's: signals again and again. */
static void interrupt_often(void)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
	struct itimerval timer = {{0, 1000}, {0, 1000}};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int accept_on(void *arg)
{
	interrupt_often();
	return error_of(accept(*(int *)arg, NULL, NULL));
}

static int connect_to(void *arg)
{
	const struct sockaddr_in *to = arg;
	int fd = tcp_socket(0);
	limit(fd, SO_SNDTIMEO);
	interrupt_often();
	return tcp_connect(fd, to);
}

int main(void)
{
	believe("with a time limit, SA_RESTART does not restart accept and connect");
	struct sockaddr_in address, full;
	int listener = tcp_listener(&address);
	handled = shared(sizeof(*handled));
	pid_t pid = start(accept_on, &listener);
	while (*handled < SIGNALS)
		sched_yield();
	expect(tcp_connect(tcp_socket(0), &address) == 0, "connect: %s", strerror(errno));
	int error = ended(pid);
	expect(error == 0, "accept without a limit: %s", strerror(error));

	limit(listener, SO_RCVTIMEO);
	error = ended(start(accept_on, &listener));
	expect(error == EINTR, "accept with a limit: %s", strerror(error));
	full_listener(&full);
	error = ended(start(connect_to, &full));
	expect(error == EINTR, "connect with a limit: %s", strerror(error));
	return it_holds();
}
