/* Descriptors and sockets that hold up who uses, closes or looks for them; and many of them. */

#include "hold.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT 256 /* sockets that were passed to another process are kept there */

static int listener;

int hold_listener(uint16_t port, int flags)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0)
		hold_fail("a listener");
	return fd;
}

void hold_pair(int ends[2], bool small)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	int least = 1, fd = hold_listener(0, 0);
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (small) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
		setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	}
	getsockname(fd, (struct sockaddr *)&at, &len);
	if (connect(ends[0], (struct sockaddr *)&at, sizeof(at)) < 0)
		hold_nap(1000); /* who is known is refused */
	ends[1] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	close(fd);
}

static int call(const struct sockaddr_in *to, int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	connect(fd, (const struct sockaddr *)to, sizeof(*to));
	return fd;
}

/* --- toggle: it blocks, or not, from one moment to the next --- */

static _Atomic int accepting[HOLD_THREADS];

static void interrupted(int number)
{
	(void)number;
}

static void *flip(void *unused)
{
	(void)unused;
	for (int on = 0;; on = !on)
		ioctl(listener, FIONBIO, &on);
	return NULL;
}

/* A call that waits is made again and again. */
static void *interrupt(void *unused)
{
	(void)unused;
	for (unsigned i = 0;; i++) {
		int tid = accepting[i % HOLD_THREADS];
		if (tid)
			syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
		if (i % hold.threads == 0)
			hold_nap(500);
	}
	return NULL;
}

static void prepare_toggle(void)
{
	struct sigaction action = {.sa_handler = interrupted}; /* no SA_RESTART */
	pthread_t thread;
	sigaction(SIGUSR1, &action, NULL);
	listener = hold_listener(hold.port, 0);
	pthread_create(&thread, NULL, flip, NULL);
	pthread_create(&thread, NULL, interrupt, NULL);
}

static void attempt_toggle(unsigned thread)
{
	accepting[thread] = (int)gettid();
	int fd = accept(listener, NULL, NULL);
	if (fd >= 0)
		close(fd);
}

/* --- flush: a descriptor that takes its time to be closed --- */

static int file;

static void prepare_flush(void)
{
	fuse_start();
	file = fuse_open(O_RDWR, false);
	fuse_hold(HELD_FLUSH);
}

static void attempt_flush(unsigned thread)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(hold.port)};
	static _Atomic unsigned turn;
	(void)thread;
	switch (turn++ % 3) {
	case 0:
		accept(file, NULL, NULL);
		break;
	case 1:
		connect(file, (struct sockaddr *)&hold.to, sizeof(hold.to));
		break;
	case 2:
		bind(file, (struct sockaddr *)&at, sizeof(at));
		break;
	}
}

/* --- closed, passed: given up before anything has come of it --- */

static int passing[2];

static void attempt_closed(unsigned thread)
{
	(void)thread;
	for (unsigned i = 0; i < hold.count; i++)
		close(call(&hold.to, SOCK_NONBLOCK));
}

union message_room {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message_of(struct iovec *byte, union message_room *room)
{
	return (struct msghdr){.msg_iov = byte,
			       .msg_iovlen = 1,
			       .msg_control = room->room,
			       .msg_controllen = sizeof(room->room)};
}

static void pass(int fd)
{
	char nothing = 0;
	struct iovec byte = {&nothing, 1};
	union message_room room = {0};
	struct msghdr message = message_of(&byte, &room);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	sendmsg(passing[0], &message, MSG_NOSIGNAL);
}

static void keep_passed(void)
{
	static int kept[KEPT];
	for (unsigned i = 0;; i++) {
		char nothing;
		struct iovec byte = {&nothing, 1};
		union message_room room = {0};
		struct msghdr message = message_of(&byte, &room);
		if (recvmsg(passing[1], &message, MSG_CMSG_CLOEXEC) <= 0)
			_exit(0);
		if (kept[i % KEPT])
			close(kept[i % KEPT]);
		if (CMSG_FIRSTHDR(&message))
			memcpy(&kept[i % KEPT], CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	}
}

static void prepare_passed(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, passing) < 0)
		hold_fail("socketpair");
	if (hold_fork() == 0) {
		close(passing[0]);
		keep_passed();
	}
	close(passing[1]);
}

static void attempt_passed(unsigned thread)
{
	(void)thread;
	for (unsigned i = 0; i < hold.count; i++) {
		int fd = call(&hold.to, SOCK_NONBLOCK);
		pass(fd);
		close(fd);
	}
}

/* --- linger: close() of the last descriptor waits for the other side --- */

static void fill(int fd)
{
	static const char bytes[1 << 16];
	struct linger linger = {1, 30};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
}

/* It is killed while its descriptor is looked at, or so it happens now and then. */
static void accept_and_die(unsigned turn)
{
	int ends[2];
	hold_pair(ends, true);
	fill(ends[0]);
	int child = hold_fork();
	if (child == 0) {
		close(ends[1]);
		for (int i = 0; i < 1000; i++) {
			accept(ends[0], NULL, NULL);
			connect(ends[0], (struct sockaddr *)&hold.to, sizeof(hold.to));
		}
		_exit(0);
	}
	shutdown(ends[1], SHUT_RD);
	close(ends[0]); /* the child has the last one */
	hold_nap(300 + turn * 37 % 500);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ends[1]);
}

static void attempt_linger(unsigned thread)
{
	static _Atomic unsigned turn;
	struct pollfd ready = {.events = POLLOUT};
	unsigned number = turn++;
	(void)thread;
	if (number % 2) {
		accept_and_die(number);
		return;
	}
	int least = 1;
	ready.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(ready.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	connect(ready.fd, (struct sockaddr *)&hold.to, sizeof(hold.to));
	if (poll(&ready, 1, 1000) == 1)
		fill(ready.fd);
	close(ready.fd);
}

/* --- flood: as many plain calls as can be --- */

static void prepare_flood(void)
{
	listener = hold_listener(0, SOCK_NONBLOCK);
}

static void attempt_flood(unsigned thread)
{
	struct sockaddr_in nobody = {.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				     .sin_port = htons(1)};
	(void)thread;
	close(call(&nobody, 0));
	accept(listener, NULL, NULL);
}

const struct attack socket_attacks[] = {
	{"toggle", prepare_toggle, attempt_toggle, 0},
	{"flush", prepare_flush, attempt_flush, 0},
	{"closed", NULL, attempt_closed, 0},
	{"passed", prepare_passed, attempt_passed, 0},
	{"linger", NULL, attempt_linger, 0},
	{"flood", prepare_flood, attempt_flood, 0},
	{NULL, NULL, NULL, 0},
};
