/*
 * urged HOST PORT blocking|nonblocking restart|no-restart COUNT US: COUNT connections, made while a
 * SIGURG comes every US microseconds, as Go's runtime sends them. Prints how many worked, how many
 * signals came during them, and the longest time in one connect() in microseconds.
 */

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static long longest;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void begin_signals(int flags, long us)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};
	struct itimerspec every = {{0, us * 1000}, {0, us * 1000}};
	timer_t timer;
	if (sigaction(SIGURG, &action, NULL) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
	    timer_settime(timer, 0, &every, NULL) < 0) {
		perror("urged: timer");
		exit(1);
	}
}

static long now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

/* The connection's end after EINPROGRESS. */
static int wait_connected(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	int error = 0, rc;
	socklen_t len = sizeof(error);
	do
		rc = poll(&ready, 1, 20000);
	while (rc < 0 && errno == EINTR);
	if (rc != 1)
		return ETIME;
	while (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		if (errno != EINTR)
			return errno;
	return error;
}

static int echoed(int fd)
{
	char answer;
	ssize_t n;
	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
		return 0;
	do {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		poll(&ready, 1, 20000);
		n = recv(fd, &answer, 1, 0);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n == 1 && answer == 'x';
}

static int connect_once(const struct addrinfo *to, int flags)
{
	int fd = socket(to->ai_family, SOCK_STREAM | flags, 0), error;
	int tries = 0;
	do {
		long begin = now_us();
		tries++;
		error = connect(fd, to->ai_addr, to->ai_addrlen) < 0 ? errno : 0;
		longest = now_us() - begin > longest ? now_us() - begin : longest;
	} while (error == EINTR);
	if (error == EINPROGRESS || error == EALREADY)
		error = wait_connected(fd);
	if (error == EISCONN && tries > 1)
		error = 0; /* the call that came again found that the first one had done it */
	if (error)
		fprintf(stderr, "urged: %s\n", strerror(error));
	int good = !error && echoed(fd);
	close(fd);
	return good;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
	if (argc != 7 || getaddrinfo(argv[1], argv[2], &hints, &to))
		return 2;
	begin_signals(strcmp(argv[4], "restart") ? 0 : SA_RESTART, atol(argv[6]));
	int good = 0;
	for (int i = 0; i < atoi(argv[5]); i++)
		good += connect_once(to, strcmp(argv[3], "blocking") ? SOCK_NONBLOCK : 0);
	printf("%d %d %ld\n", good, (int)signals, longest);
	return 0;
}
