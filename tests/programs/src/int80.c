/*
 * int80 socketcall|direct call|call-nonblocking|listen IPv4 PORT: sockets by int 0x80, the system
 * calls of i386, whether this is a 32-bit program or a 64-bit one.
 *
 *     call                connect, send a word, print what comes back
 *     call-nonblocking    the same as an event loop does it
 *     listen              take one connection, print the peer's address, send back what comes
 *
 * direct: i386 has had calls of their own for sockets since Linux 4.3, but for accept(), which is
 * accept4() there; before, and in C libraries until today, there is socketcall(2) alone. What the
 * calls point to lies below 4 GiB.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/net.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ = 3, WRITE = 4, POLL = 168, SOCKETCALL = 102 };

/* direct[SYS_…]: numbers of i386 */
static const int direct_number[] = {
	[SYS_SOCKET] = 359, [SYS_BIND] = 361,       [SYS_CONNECT] = 362,
	[SYS_LISTEN] = 363, [SYS_GETSOCKOPT] = 365, [SYS_ACCEPT4] = 364,
};

static struct low {
	uint32_t words[6];
	struct sockaddr_in address;
	socklen_t len;
	int value;
	struct pollfd fd;
	char text[64];
} * low;

static int is_direct;

static uint32_t below(const void *at)
{
	return (uint32_t)(uintptr_t)at;
}

static int int80(int number, const uint32_t args[6])
{
	int rc;
#if defined(__x86_64__)
	register uint64_t bp __asm__("r12") = args[5];
	__asm__ volatile("xchg %%rbp, %%r12\n\tint $0x80\n\txchg %%rbp, %%r12"
			 : "=a"(rc), "+r"(bp)
			 : "a"(number), "b"(args[0]), "c"(args[1]), "d"(args[2]), "S"(args[3]),
			   "D"(args[4])
			 : "memory", "r8", "r9", "r10", "r11");
#else
	__asm__ volatile("int $0x80" /* none of ours has six arguments */
			 : "=a"(rc)
			 : "a"(number), "b"(args[0]), "c"(args[1]), "d"(args[2]), "S"(args[3]),
			   "D"(args[4])
			 : "memory");
#endif
	if (rc < 0 && rc > -4096) {
		errno = -rc;
		return -1;
	}
	return rc;
}

static int plain(int number, uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t args[6] = {a, b, c};
	return int80(number, args);
}

/* A socket call. */
static int sock(int which, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
	const uint32_t args[6] = {a, b, c, d, e},
		       indirect[6] = {(uint32_t)which, below(low->words)};
	if (is_direct)
		return int80(direct_number[which], args);
	memcpy(low->words, args, sizeof(args));
	return int80(SOCKETCALL, indirect);
}

static void die(const char *what)
{
	fprintf(stderr, "int80: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int new_socket(int flags)
{
	int fd = sock(SYS_SOCKET, AF_INET, (uint32_t)(SOCK_STREAM | flags), 0, 0, 0);
	if (fd < 0)
		die("socket");
	return fd;
}

static void wait_readable(int fd, short events)
{
	low->fd = (struct pollfd){.fd = fd, .events = events};
	if (plain(POLL, below(&low->fd), 1, 20000) != 1)
		die("poll");
}

static void ask_so_error(int fd)
{
	low->len = sizeof(low->value);
	low->value = -1;
	if (sock(SYS_GETSOCKOPT, (uint32_t)fd, SOL_SOCKET, SO_ERROR, below(&low->value),
		 below(&low->len)) < 0)
		die("getsockopt");
	errno = low->value;
	if (low->value || low->len != sizeof(low->value))
		die("SO_ERROR");
}

static int call(int flags)
{
	int fd = new_socket(flags);
	int rc = sock(SYS_CONNECT, (uint32_t)fd, below(&low->address), sizeof(low->address), 0, 0);
	if (rc < 0 && (!flags || errno != EINPROGRESS))
		die("connect");
	if (rc < 0) {
		wait_readable(fd, POLLOUT);
		ask_so_error(fd);
	}
	strcpy(low->text, "word\n");
	if (plain(WRITE, (uint32_t)fd, below(low->text), 5) != 5)
		die("write");
	memset(low->text, 0, sizeof(low->text));
	wait_readable(fd, POLLIN);
	if (plain(READ, (uint32_t)fd, below(low->text), sizeof(low->text)) < 0)
		die("read");
	fputs(low->text, stdout);
	return 0;
}

static int take(void)
{
	char peer[INET_ADDRSTRLEN];
	int fd = new_socket(0), one;
	if (sock(SYS_BIND, (uint32_t)fd, below(&low->address), sizeof(low->address), 0, 0) < 0 ||
	    sock(SYS_LISTEN, (uint32_t)fd, 8, 0, 0, 0) < 0)
		die("listen");
	memset(&low->address, 0, sizeof(low->address));
	low->len = sizeof(low->address);
	one = sock(is_direct ? SYS_ACCEPT4 : SYS_ACCEPT, (uint32_t)fd, below(&low->address),
		   below(&low->len), 0, 0);
	if (one < 0)
		die("accept");
	int n = plain(READ, (uint32_t)one, below(low->text), sizeof(low->text));
	if (n < 0 || plain(WRITE, (uint32_t)one, below(low->text), (uint32_t)n) != n)
		die("echo");
	puts(inet_ntop(AF_INET, &low->address.sin_addr, peer, sizeof(peer)));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	is_direct = !strcmp(argv[1], "direct");
	low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		die("mmap");
	low->address = (struct sockaddr_in){.sin_family = AF_INET,
					    .sin_port = htons((uint16_t)atoi(argv[4]))};
	if (inet_pton(AF_INET, argv[3], &low->address.sin_addr) != 1)
		return 2;
	if (!strcmp(argv[2], "listen"))
		return take();
	return call(strcmp(argv[2], "call") ? SOCK_NONBLOCK : 0);
}
