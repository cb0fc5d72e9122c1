#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/worker.h"

#define COUNT_MAX 10000000
#define EACH_MAX  1024 /* fits the queue of a listener */

/* --- calls that the filter lets pass --- */

struct subject {
	int null, epoll, socket;
	char byte;
};

static long do_getppid(struct subject *s)
{
	return syscall(SYS_getppid);
}

static long do_read(struct subject *s)
{
	return read(s->null, &s->byte, 1);
}

static long do_write(struct subject *s)
{
	return write(s->null, &s->byte, 1);
}

/* To ourselves, by UDP: what does not fit the queue is dropped. */
static long do_sendto(struct subject *s)
{
	return sendto(s->socket, &s->byte, 1, 0, NULL, 0);
}

static long do_epoll_wait(struct subject *s)
{
	struct epoll_event event;
	return epoll_wait(s->epoll, &event, 1, 0);
}

static long do_openat(struct subject *s)
{
	return openat(AT_FDCWD, "/dev/null/none", O_RDONLY);
}

static const struct {
	const char *name;
	long (*call)(struct subject *subject);
	long result;
} subjects[] = {
	{"getppid", do_getppid, 0}, /* known by asking */
	{"read", do_read, 0},       {"write", do_write, 1},           {"sendto", do_sendto, 1},
	{"openat", do_openat, -1},  {"epoll_wait", do_epoll_wait, 0},
};

static uint64_t repeat(long (*call)(struct subject *), struct subject *subject, long expected,
		       long count)
{
	uint64_t began = bench_now();
	for (long i = 0; i < count; i++) {
		long result = call(subject);
		if (result != expected)
			bench_die("a call gave %ld, not %ld", result, expected);
	}
	return bench_now() - began;
}

static void open_subject(struct subject *subject)
{
	struct sockaddr_in self = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(self);
	*subject = (struct subject){.null = open("/dev/null", O_RDWR | O_CLOEXEC),
				    .epoll = epoll_create1(EPOLL_CLOEXEC),
				    .socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
	if (subject->null < 0 || subject->epoll < 0 ||
	    bind(subject->socket, (struct sockaddr *)&self, len) < 0 ||
	    getsockname(subject->socket, (struct sockaddr *)&self, &len) < 0 ||
	    connect(subject->socket, (struct sockaddr *)&self, len) < 0)
		bench_die("descriptors");
}

void call_command(char **words)
{
	struct subject subject;
	const char *name = word(&words);
	long count = word_number(&words, 1, COUNT_MAX);
	open_subject(&subject);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(*subjects); i++) {
		if (strcmp(subjects[i].name, name) != 0)
			continue;
		long expected =
			subjects[i].call == do_getppid ? (long)getppid() : subjects[i].result;
		answer_one(repeat(subjects[i].call, &subject, expected, count));
	}
	close(subject.null);
	close(subject.epoll);
	close(subject.socket);
}

/* --- calls that the supervisor sees and hands on --- */

static int local_listener(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*at = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)at, sizeof(*at)) < 0 || listen(fd, EACH_MAX) < 0 ||
	    getsockname(fd, (struct sockaddr *)at, &len) < 0)
		bench_die("a listener");
	return fd;
}

void take_command(char **words)
{
	static uint64_t took[EACH_MAX];
	long count = word_number(&words, 1, EACH_MAX);
	struct sockaddr_in at;
	int listener = local_listener(&at);
	for (long i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
			bench_die("connect");
		uint64_t began = bench_now();
		int taken = accept(listener, NULL, NULL);
		took[i] = bench_now() - began;
		if (taken < 0)
			bench_die("accept");
		drop(fd);
		drop(taken);
	}
	close(listener);
	answer(took, (size_t)count);
}

void bind_command(char **words)
{
	static uint64_t took[EACH_MAX];
	long count = word_number(&words, 1, EACH_MAX);
	for (long i = 0; i < count; i++) {
		struct sockaddr_in any = {.sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		uint64_t began = bench_now();
		if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
			bench_die("bind");
		took[i] = bench_now() - began;
		close(fd);
	}
	answer(took, (size_t)count);
}
