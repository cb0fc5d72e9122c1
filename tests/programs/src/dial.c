/*
 * dial HOST PORT WAY WHEN COUNT [close]: COUNT connections, one after the other, without blocking,
 * as an event loop makes them.
 *
 *     WAY    level, edge (epoll), poll, select: what the loop waits with
 *     WHEN   before, during, after: epoll knows the socket before connect(), while the connection
 *            is being made, or only once it is there
 *     close  close each socket as soon as connect() has returned, and pause for 20 ms
 *
 * Each connection sends its number and wants it back, to the last byte. For each, a line of JSON:
 * what connect() and SO_ERROR said and how long each took (us), what it came to, and the events
 * seen.
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 20000
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum way { LEVEL, EDGE, POLL, SELECT };

static const char *const ways[] = {"level", "edge", "poll", "select"};

struct dial {
	int fd, epoll;
	enum way way;
	unsigned seen; /* POLL* bits that came */
};

static void die(const char *what)
{
	fprintf(stderr, "dial: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void watch(struct dial *dial)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP};
	if (dial->way == EDGE)
		event.events |= EPOLLET;
	if (epoll_ctl(dial->epoll, EPOLL_CTL_ADD, dial->fd, &event) < 0)
		die("epoll_ctl");
}

static unsigned wait_epoll(const struct dial *dial)
{
	struct epoll_event event;
	int count = epoll_wait(dial->epoll, &event, 1, LIMIT_MS);
	if (count < 0)
		die("epoll_wait");
	return count ? event.events : 0;
}

static unsigned wait_poll(const struct dial *dial, short wanted)
{
	struct pollfd fd = {.fd = dial->fd, .events = wanted};
	if (poll(&fd, 1, LIMIT_MS) < 0)
		die("poll");
	return (unsigned)fd.revents;
}

static unsigned wait_select(const struct dial *dial, short wanted)
{
	struct timeval limit = {.tv_sec = LIMIT_MS / 1000};
	fd_set in, out;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(dial->fd, wanted & POLLOUT ? &out : &in);
	if (select(dial->fd + 1, &in, &out, NULL, &limit) < 0)
		die("select");
	return (FD_ISSET(dial->fd, &in) ? POLLIN : 0u) | (FD_ISSET(dial->fd, &out) ? POLLOUT : 0u);
}

/* Wait for one of the events; others that come are noted. False: in vain. */
static bool wait_for(struct dial *dial, short wanted)
{
	for (;;) {
		unsigned got = dial->way == SELECT ? wait_select(dial, wanted)
			       : dial->way == POLL ? wait_poll(dial, wanted)
						   : wait_epoll(dial);
		dial->seen |= got;
		if (!got)
			errno = ETIME; /* what connect() itself never says */
		if (!got || got & ((unsigned)wanted | POLLERR | POLLHUP))
			return got != 0;
	}
}

/* An edge tells once: try first, and wait only when there was nothing. */
static int send_all(struct dial *dial, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(dial->fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return errno;
		if (n < 0 && !wait_for(dial, POLLOUT))
			return errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return shutdown(dial->fd, SHUT_WR) < 0 ? errno : 0;
}

static int receive_all(struct dial *dial, char *text, size_t room)
{
	size_t len = 0;
	for (;;) {
		ssize_t n = recv(dial->fd, text + len, room - 1 - len, 0);
		if (n == 0) {
			text[len] = '\0';
			return 0;
		}
		if (n < 0 && errno != EAGAIN)
			return errno;
		if (n < 0 && !wait_for(dial, POLLIN))
			return errno;
		len += n > 0 ? (size_t)n : 0;
	}
}

static int so_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		die("SO_ERROR");
	return error;
}

static int exchange(struct dial *dial, int number)
{
	char text[32], answer[64];
	int len = snprintf(text, sizeof(text), "connection %d\n", number);
	int error = send_all(dial, text, (size_t)len);
	if (!error)
		error = receive_all(dial, answer, sizeof(answer));
	return error || strcmp(text, answer) == 0 ? error : EBADMSG;
}

static void connect_once(struct dial *dial, const struct addrinfo *to, const char *when, int number,
			 bool closes)
{
	long asked = 0;
	bool epolls = dial->way <= EDGE;
	dial->seen = 0;
	dial->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0)
		die("socket");
	if (epolls && !strcmp(when, "before"))
		watch(dial);
	long begin = now_us();
	int said = connect(dial->fd, to->ai_addr, to->ai_addrlen) < 0 ? errno : 0;
	long connected = now_us() - begin;
	int result = said == EINPROGRESS ? 0 : said;
	if (!closes && said == EINPROGRESS) {
		struct dial waits = *dial;
		if (epolls && !strcmp(when, "during"))
			watch(dial);
		else if (!strcmp(when, "after"))
			waits.way = POLL;
		if (!wait_for(&waits, POLLOUT))
			result = errno;
		dial->seen = waits.seen;
		long before = now_us();
		if (!result)
			result = so_error(dial->fd);
		asked = now_us() - before;
	}
	if (epolls && (!strcmp(when, "after") || (!strcmp(when, "during") && said == 0)))
		watch(dial);
	unsigned seen = dial->seen;
	if (!closes && !result)
		result = exchange(dial, number);
	printf("{\"said\": %d, \"connect_us\": %ld, \"asked_us\": %ld, \"result\": %d, "
	       "\"seen\": %u, \"seen_later\": %u, \"took_us\": %ld}\n",
	       said, connected, asked, result, seen, dial->seen, now_us() - begin);
	fflush(stdout);
	close(dial->fd);
	if (closes)
		usleep(20000);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
	struct dial dial = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	if (argc < 6)
		return 2;
	int rc = getaddrinfo(argv[1], argv[2], &hints, &to);
	if (rc) {
		fprintf(stderr, "dial: %s: %s\n", argv[1], gai_strerror(rc));
		return 1;
	}
	for (size_t i = 0; i < COUNT(ways); i++)
		if (!strcmp(argv[3], ways[i]))
			dial.way = (enum way)i;
	for (int i = 0; i < atoi(argv[5]); i++)
		connect_once(&dial, to, argv[4], i, argc > 6 && !strcmp(argv[6], "close"));
	return 0;
}
