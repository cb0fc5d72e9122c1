#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/worker.h"

#define COUNT_MAX     100000
#define PROCESSES_MAX 1024

static void check_peer(const struct where *where, int fd)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	getpeername(fd, (struct sockaddr *)&peer, &len);
	uint16_t port = peer.ss_family == AF_INET
				? ((const struct sockaddr_in *)(void *)&peer)->sin_port
				: ((const struct sockaddr_in6 *)(void *)&peer)->sin6_port;
	errno = 0;
	if (ntohs(port) != where->peer)
		bench_die("connected to port %u, not %u", (unsigned)ntohs(port),
			  (unsigned)where->peer);
}

int where_connect(const struct where *where, uint64_t *took)
{
	int fd = socket(where->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		bench_die("socket");
	uint64_t began = bench_now();
	if (connect(fd, (const struct sockaddr *)&where->address, where->len) < 0)
		bench_die("connect");
	int err = where->calls ? handshake_call(fd, &where->secret) : 0;
	*took = bench_now() - began;
	errno = -err;
	if (err < 0)
		bench_die("the handshake failed");
	check_peer(where, fd);
	return fd;
}

void exchange(int fd, struct message *message)
{
	static uint64_t number;
	uint64_t sent = ++number;
	message->number = sent;
	errno = 0;
	if (!send_all(fd, message, sizeof(*message)) ||
	    !receive_all(fd, message, sizeof(*message)) || message->number != sent)
		bench_die("a message did not come back");
}

void drop(int fd)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* --- one after the other --- */

enum until { UNTIL_CONNECTED, UNTIL_ACCEPTED, UNTIL_ANSWERED };

static void measure(char **words, enum until until)
{
	static uint64_t took[COUNT_MAX];
	long count = word_number(&words, 1, COUNT_MAX);
	struct where where;
	where_read(&where, &words);
	for (long i = 0; i < count; i++) {
		struct message message = {0};
		uint64_t began = bench_now();
		int fd = where_connect(&where, &took[i]);
		exchange(fd, &message);
		if (until == UNTIL_ACCEPTED)
			took[i] = message.accepted_at - began;
		else if (until == UNTIL_ANSWERED)
			took[i] = bench_now() - began;
		drop(fd);
	}
	answer(took, (size_t)count);
}

void connect_command(char **words)
{
	measure(words, UNTIL_CONNECTED);
}

void accept_command(char **words)
{
	measure(words, UNTIL_ACCEPTED);
}

void first_command(char **words)
{
	measure(words, UNTIL_ANSWERED);
}

void exchange_command(char **words)
{
	static uint64_t took[COUNT_MAX];
	static int fd = -1;
	long count = word_number(&words, 1, COUNT_MAX);
	struct message message = {0};
	if (fd < 0) {
		struct where where;
		int on = 1;
		where_read(&where, &words);
		fd = where_connect(&where, &took[0]);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	for (long i = 0; i < count; i++) {
		uint64_t began = bench_now();
		exchange(fd, &message);
		took[i] = bench_now() - began;
	}
	answer(took, (size_t)count);
}

/* --- many at once --- */

static uint64_t count_there(const struct where *where)
{
	struct message message = {0};
	uint64_t took;
	int fd = where_connect(where, &took);
	exchange(fd, &message);
	drop(fd);
	return message.connections;
}

_Noreturn static void storm_child(const struct where *where, long each, _Atomic uint32_t *go)
{
	uint64_t took;
	while (atomic_load(go) == 0)
		syscall(SYS_futex, go, FUTEX_WAIT, 0, NULL, NULL, 0);
	for (long i = 0; i < each; i++)
		drop(where_connect(where, &took));
	_exit(0);
}

void storm_command(char **words)
{
	static _Atomic uint32_t *go;
	long processes = word_number(&words, 1, PROCESSES_MAX);
	long each = word_number(&words, 1, COUNT_MAX);
	struct where where;
	where_read(&where, &words);
	uint64_t before = count_there(&where);
	if (!go)
		go = mmap(NULL, sizeof(*go), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			  0);
	*go = 0;
	for (long i = 0; i < processes; i++) {
		pid_t child = fork();
		if (child == 0)
			storm_child(&where, each, go);
		if (child < 0)
			bench_die("fork");
	}
	usleep(20000); /* until all of them wait; one that comes late is slower, not wrong */
	uint64_t began = bench_now();
	atomic_store(go, 1);
	syscall(SYS_futex, go, FUTEX_WAKE, processes, NULL, NULL, 0);
	for (long i = 0; i < processes; i++) {
		int status;
		errno = 0;
		if (wait(&status) < 0 || status != 0)
			bench_die("a process of the storm failed");
	}
	uint64_t took = bench_now() - began;
	/* the server may still have some of them before it */
	uint64_t wanted = before + (uint64_t)(processes * each), found = 0, looked = 0;
	for (int tries = 0; tries < 200 && found < wanted + looked; tries++) {
		usleep(5000);
		found = count_there(&where);
		looked++;
	}
	errno = 0;
	if (found != wanted + looked)
		bench_die("the server has seen %llu connections, not %llu",
			  (unsigned long long)(found - before - looked),
			  (unsigned long long)(wanted - before));
	answer_one(took);
}

void hold_command(char **words)
{
	static int held[COUNT_MAX];
	static long have;
	long wanted = word_number(&words, 0, COUNT_MAX);
	struct where where;
	where_read(&where, &words);
	for (; have < wanted; have++) {
		struct message message = {0};
		uint64_t took;
		held[have] = where_connect(&where, &took);
		exchange(held[have], &message);
	}
	for (; have > wanted; have--)
		drop(held[have - 1]);
	answer_one((uint64_t)have);
}
