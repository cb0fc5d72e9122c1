/* Memory that cannot be read or written until the attacker ends, and locks that are held meanwhile:
 * of sockets, and of the memory itself. */

#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/control.h"

#define LOCKED   6  /* sockets of one thread whose lock is held: of 68, within 1,024 descriptors */
#define CHILDREN 48 /* processes whose memory's lock is held */

static void *(*page)(void);

static void prepare_fuse(void)
{
	page = fuse_page;
	fuse_start();
	fuse_hold(HELD_READ);
}

/* --- userfaultfd --- */

static uint8_t *unfilled;
static _Atomic unsigned next_unfilled;
#define UNFILLED (1 << 16) /* pages */

static void *unfilled_page(void)
{
	return unfilled + (size_t)(next_unfilled++ % UNFILLED) * HOLD_PAGE;
}

static void prepare_userfault(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.range.len = (uint64_t)UNFILLED * HOLD_PAGE,
					.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC); /* also for faults of the kernel */
	if (fd < 0)
		hold_skip("userfaultfd");
	unfilled = mmap(NULL, range.range.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	range.range.start = (uintptr_t)unfilled;
	if (ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		hold_skip("UFFDIO_REGISTER");
	page = unfilled_page;
}

/* --- addresses in such memory --- */

static void attempt_read(unsigned thread)
{
	static _Atomic unsigned turn;
	int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)thread;
	switch (turn++ % 6) {
	case 0:
		syscall(SYS_connect, stream, page(), sizeof(struct sockaddr_in));
		break;
	case 1:
		syscall(SYS_connect, datagram, page(), sizeof(struct sockaddr_in6));
		break;
	case 2:
		syscall(SYS_connect, QUESTION_FD, page(), sizeof(struct question));
		break;
	case 3:
		syscall(SYS_bind, QUESTION_FD, page(), sizeof(struct control_tunnel));
		break;
	case 4:
		syscall(SYS_bind, stream, page(), sizeof(struct sockaddr_in));
		break;
	case 5:
		syscall(SYS_sendto, datagram, "x", 1, MSG_DONTWAIT, page(),
			sizeof(struct sockaddr_in));
		break;
	}
	close(stream);
	close(datagram);
}

/* --- answers into such memory --- */

static int listener;

static void prepare_accepted(void)
{
	prepare_fuse();
	listener = hold_listener(hold.port, 0);
}

static void attempt_accepted(unsigned thread)
{
	struct sockaddr_in6 address;
	socklen_t len = sizeof(address);
	long fd = thread % 2 ? syscall(SYS_accept, listener, page(), &len)
			     : syscall(SYS_accept, listener, &address, page());
	if (fd >= 0)
		close((int)fd);
}

/* The question for the result is held until the access point has refused. */
static void attempt_asked(unsigned thread)
{
	int value;
	socklen_t len = sizeof(value);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(fd, (struct sockaddr *)&hold.bad, sizeof(hold.bad)) < 0) {
		if (thread % 2)
			syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, page(), &len);
		else
			syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &value, page());
	}
	close(fd);
}

/* --- the lock of a socket: send() has it while it waits for memory --- */

static void *sender(void *socket)
{
	send((int)(intptr_t)socket, page(), HOLD_PAGE, MSG_NOSIGNAL);
	return NULL;
}

static bool lock_socket(int fd)
{
	pthread_attr_t how;
	pthread_t thread;
	pthread_attr_init(&how);
	pthread_attr_setstacksize(&how, 1 << 16);
	pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
	bool started = pthread_create(&thread, &how, sender, (void *)(intptr_t)fd) == 0;
	pthread_attr_destroy(&how);
	hold_nap(5000);
	return started;
}

static int locked_socket(unsigned thread, unsigned turn)
{
	static struct {
		int fd[LOCKED];
	} all[HOLD_THREADS];
	int *fd = &all[thread].fd[turn % LOCKED], ends[2];
	if (*fd == 0) {
		hold_pair(ends, false);
		*fd = ends[0];
		lock_socket(*fd);
	}
	return *fd;
}

static void attempt_lock(unsigned thread)
{
	static _Atomic unsigned turn;
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(hold.port)};
	int value;
	socklen_t len = sizeof(value);
	unsigned number = turn++;
	int fd = locked_socket(thread, number / 5);
	switch (number % 5) {
	case 0:
		accept(fd, NULL, NULL);
		break;
	case 1:
		connect(fd, (struct sockaddr *)&hold.to, sizeof(hold.to));
		break;
	case 2:
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len);
		break;
	case 3:
		bind(fd, (struct sockaddr *)&at, sizeof(at));
		break;
	case 4:
		listen(fd, 5);
		break;
	}
}

/* The same while the connection to the access point is being made. */
static void attempt_midway(unsigned thread)
{
	static _Atomic unsigned made;
	struct pollfd ready = {.events = POLLOUT};
	(void)thread;
	if (made++ > HOLD_THREADS) { /* each leaves a thread behind */
		hold_nap(10000);
		return;
	}
	ready.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	connect(ready.fd, (struct sockaddr *)&hold.to, sizeof(hold.to));
	if (poll(&ready, 1, 1000) == 1)
		lock_socket(ready.fd);
}

/* --- the lock of the memory itself --- */

/* A private mapping of a file opened past the page cache first has what is dirty in it written,
 * with the lock held. */
static void *take_memory_lock(void *direct)
{
	mmap(NULL, HOLD_PAGE, PROT_READ, MAP_PRIVATE, (int)(intptr_t)direct, 0);
	return NULL;
}

static void connect_beside(void)
{
	pthread_t other;
	struct sockaddr_in to = hold.to;
	int fd = fuse_open(O_RDWR, false), direct = fuse_open(O_RDWR, true);
	int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	volatile uint8_t *dirty = mmap(NULL, HOLD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || direct < 0 || dirty == MAP_FAILED)
		_exit(1);
	*dirty = 1;
	connect(-1, (struct sockaddr *)&to, sizeof(to)); /* the symbol is bound from here on */
	pthread_create(&other, NULL, take_memory_lock, (void *)(intptr_t)direct);
	hold_nap(5000);
	for (;;)
		connect(stream, (struct sockaddr *)&to, sizeof(to));
}

static void prepare_mmap(void)
{
	fuse_start();
	fuse_hold(HELD_WRITE);
}

static void attempt_mmap(unsigned thread)
{
	static _Atomic unsigned made;
	(void)thread;
	if (made++ < CHILDREN && hold_fork() == 0)
		connect_beside();
	hold_nap(100000);
}

const struct attack memory_attacks[] = {
	{"read", prepare_fuse, attempt_read, 0},
	{"userfault", prepare_userfault, attempt_read, 0},
	{"accepted", prepare_accepted, attempt_accepted, 0},
	{"asked", prepare_fuse, attempt_asked, 0},
	{"lock", prepare_fuse, attempt_lock, 0},
	{"midway", prepare_fuse, attempt_midway, 0},
	{"mmap", prepare_mmap, attempt_mmap, 0},
	{NULL, NULL, NULL, 0},
};
