/* The accepting threads of a storm. */

#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	int listening;
	bool polled;
	_Atomic uint32_t next[STORM_THREADS]; /* number of each calling thread */
	_Atomic bool in_use[STORM_FDS];       /* descriptors that accept() has returned */
} server;

/* Is it a new connection, and no other descriptor of ours? */
static bool is_new(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	if (fd <= 2 || fd == server.listening || fd >= STORM_FDS)
		storm_fault(0, "accept returned %d", fd);
	else if (atomic_exchange(&server.in_use[fd], true))
		storm_fault(0, "accept returned %d, which is in use", fd);
	else if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 && errno != ENOTCONN)
		storm_fault(errno, "getpeername of what accept returned");
	else
		return true;
	return false;
}

static void answer(unsigned thread, int fd)
{
	static _Thread_local struct storm_token token;
	static _Thread_local uint8_t bytes[STORM_BYTES];
	storm_at(thread, "recv");
	long got = storm_receive_token(fd, bytes);
	/* A stranger's end, which a program gets that may have waited with poll():
	 * globus-streams-run(1). A caller that it did happen to says so itself. */
	if (got == 0 || (got < 0 && errno == ENOTCONN))
		return;
	if (got < 0) {
		storm_fault(errno, "recv on descriptor %d", fd);
		return;
	}
	if (!storm_read(&token, bytes, (size_t)got)) {
		storm_fault(0, "%ld bytes that are no token", got);
		return;
	}
	uint32_t wanted = token.thread < STORM_THREADS ? ++server.next[token.thread] : 0;
	if (token.number != wanted)
		storm_fault(0, "thread %u: number %u where %u was next", token.thread, token.number,
			    wanted);
	storm_turn(&token);
	storm_at(thread, "send");
	if (!storm_send(fd, &token) || shutdown(fd, SHUT_WR) < 0) {
		storm_fault(errno, "send on descriptor %d", fd);
		return;
	}
	storm_at(thread, "recv the end");
	got = storm_receive(fd, bytes);
	if (got == 0)
		storm_done++;
	else
		storm_fault(got < 0 ? errno : 0, "%ld bytes after the token", got);
}

static void *serving(void *number)
{
	unsigned thread = (unsigned)(size_t)number;
	struct pollfd ready = {.fd = server.listening, .events = POLLIN};
	for (;;) {
		storm_at(thread, NULL);
		if (server.polled)
			poll(&ready, 1, -1);
		int fd = accept4(server.listening, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno != EAGAIN || !server.polled)
				storm_fault(errno, "accept");
			continue;
		}
		if (!is_new(fd))
			continue;
		answer(thread, fd);
		storm_at(thread, "close");
		server.in_use[fd] = false; /* the number is free as soon as it is closed */
		close(fd);
	}
	return NULL;
}

static int listen_on(uint16_t port, bool polled)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (polled)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0) {
		perror("storm: listen");
		exit(1);
	}
	return fd;
}

int storm_serve(uint16_t port, unsigned threads, bool polled)
{
	sigset_t end;
	int number;
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL); /* for the threads too */
	server.polled = polled;
	server.listening = listen_on(port, polled);
	storm_watch(threads);
	for (unsigned i = 0; i < threads; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, serving, (void *)(size_t)i) != 0)
			abort();
	}
	sigwait(&end, &number);
	printf("done=%lu faults=%lu\n", storm_done, storm_faults);
	fflush(stdout);
	_exit(storm_faults != 0);
}
