/* The calling threads of a storm. */

#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_polled(int fd, const struct addrinfo *to)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return errno;
		while (poll(&writable, 1, -1) < 0 && errno == EINTR)
			;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			return errno;
	}
	fcntl(fd, F_SETFL, 0);
	return error;
}

/* A token there, and the same back. */
static bool exchange(const struct storm_how *how, int fd, uint32_t number)
{
	static _Thread_local struct storm_token token;
	static _Thread_local uint8_t bytes[STORM_BYTES];
	storm_make(&token, how->thread, number);
	storm_at(how->thread, "send");
	if (!storm_send(fd, &token)) {
		storm_fault(errno, "send on descriptor %d", fd);
		return false;
	}
	storm_turn(&token);
	storm_at(how->thread, "recv");
	long got = storm_receive(fd, bytes);
	if (got < 0)
		storm_fault(errno, "recv on descriptor %d", fd);
	else if (got != (long)token.size || memcmp(bytes, token.bytes, token.size) != 0)
		storm_fault(0, "thread %u, number %u: %ld other bytes than the %u sent",
			    how->thread, number, got, token.size);
	else
		return true;
	return false;
}

static bool once(const struct storm_how *how, const struct addrinfo *to, uint32_t number)
{
	int error = 0, fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	storm_at(how->thread, "connect");
	if (fd < 0)
		error = errno;
	else if (how->polled)
		error = connect_polled(fd, to);
	else if (connect(fd, to->ai_addr, to->ai_addrlen) < 0)
		error = errno;
	if (error)
		storm_fault(error, "connect");
	bool good = !error && exchange(how, fd, number);
	storm_at(how->thread, "close");
	if (fd >= 0)
		close(fd);
	return good;
}

void *storm_calling(void *data)
{
	const struct storm_how *how = data;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
	storm_at(how->thread, "getaddrinfo");
	if (getaddrinfo(how->host, how->port, &hints, &to) != 0) {
		storm_fault(0, "getaddrinfo");
		storm_at(how->thread, NULL);
		return NULL;
	}
	/* a failed one must not end the count, or the server would miss its number */
	for (uint32_t number = 1; storm_now() < how->end && (!how->most || number <= how->most);) {
		if (once(how, to, number)) {
			storm_done++;
			number++;
		} else if (storm_faults > 100) {
			break;
		}
	}
	storm_at(how->thread, NULL);
	freeaddrinfo(to);
	return NULL;
}

int storm_ask(const char *host, const char *port, bool polled)
{
	struct storm_how how = {host, port, 0, polled, 0, 0};
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
	char line[16];
	storm_watch(1);
	if (getaddrinfo(host, port, &hints, &to) != 0)
		return 1;
	puts("ready");
	fflush(stdout);
	for (uint32_t number = 1; fgets(line, sizeof(line), stdin); number++) {
		bool good = once(&how, to, number);
		storm_at(0, NULL);
		puts(good ? "good" : "bad");
		fflush(stdout);
	}
	freeaddrinfo(to);
	return storm_faults != 0;
}
