/*
 * bench-server PORT [CONF]: the far side. A thread accepts, blocking; the main one sends back every
 * message (bench.h). With CONF it answers the LAN handshake itself, as part of accepting. It says
 * "ready" once it listens, and ends when its standard input does.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define EVENTS 64

struct connection {
	int fd;
	uint64_t accepted_at, number;
	size_t have;
	struct message message;
};

struct server {
	int listener, epoll;
	bool answers;
	struct secret secret;
};

static void *accept_all(void *argument)
{
	struct server *server = argument;
	for (uint64_t number = 1;; number++) {
		int on = 1, fd = accept(server->listener, NULL, NULL);
		if (fd < 0)
			bench_die("accept");
		if (server->answers && handshake_answer(fd, &server->secret) < 0) {
			close(fd);
			continue;
		}
		uint64_t now = bench_now();
		struct connection *connection = calloc(1, sizeof(*connection));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (!connection)
			bench_die("no memory");
		*connection = (struct connection){fd, now, number};
		if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			bench_die("epoll_ctl");
	}
	return NULL;
}

/* False: the connection is over. */
static bool serve(struct connection *connection)
{
	struct message *message = &connection->message;
	ssize_t got = recv(connection->fd, (char *)message + connection->have,
			   sizeof(*message) - connection->have, MSG_DONTWAIT);
	if (got <= 0)
		return got < 0 && errno == EAGAIN;
	connection->have += (size_t)got;
	if (connection->have < sizeof(*message))
		return true;
	connection->have = 0;
	message->accepted_at = connection->accepted_at;
	message->connections = connection->number;
	return send(connection->fd, message, sizeof(*message), MSG_NOSIGNAL) == sizeof(*message);
}

static int listen_on(long port)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		bench_die("port %ld", port);
	return fd;
}

static void raise_limit(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Serve until standard input ends; it is the one without a connection. */
static void serve_all(struct server *server)
{
	struct epoll_event events[EVENTS], input = {.events = EPOLLIN};
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0)
		bench_die("stdin");
	for (;;) {
		int count = epoll_wait(server->epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			struct connection *connection = events[i].data.ptr;
			if (!connection)
				return;
			if (serve(connection))
				continue;
			/* closing is not enough while anybody has a duplicate */
			epoll_ctl(server->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
			close(connection->fd);
			free(connection);
		}
	}
}

int main(int argc, char **argv)
{
	static struct server server;
	pthread_t acceptor;
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "Usage: bench-server PORT [CONF]\n");
		return 2;
	}
	raise_limit();
	if (argc == 3) {
		server.answers = true;
		secret_read(&server.secret, argv[2]);
	}
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	server.listener = listen_on(bench_number(argv[1], 1, UINT16_MAX));
	if (pthread_create(&acceptor, NULL, accept_all, &server) != 0)
		bench_die("no thread");
	puts("ready");
	fflush(stdout);
	serve_all(&server);
	return 0;
}
