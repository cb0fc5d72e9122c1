#ifndef GS_SOCKETS_H
#define GS_SOCKETS_H

/* The TCP connections of our network namespace, whosever they are: sock_diag(7), which answers
 * every user. (The supervisor asks it for listeners, of which it wants the cookie alone:
 * supervisor/kernel/diag.c.) */

#include <linux/tcp.h>
#include <stdbool.h>
#include <stdint.h>

/* States of TCP, as the kernel's numbers (linux/tcp.h has them not, netinet/tcp.h not the rest). */
enum sockets_state {
	SOCKETS_ESTABLISHED = 1,
	SOCKETS_CONNECTING = 2,   /* SYN_SENT */
	SOCKETS_FIN_SENT = 4,     /* FIN_WAIT1 */
	SOCKETS_FIN_ACKED = 5,    /* FIN_WAIT2 */
	SOCKETS_ENDED = 7,        /* CLOSE */
	SOCKETS_FIN_CAME = 8,     /* CLOSE_WAIT */
	SOCKETS_FIN_ANSWERED = 9, /* LAST_ACK */
	SOCKETS_FINS_CROSS = 11,  /* CLOSING */
};

/* An address, IPv4 as ::ffff:a.b.c.d. */
struct sockets_end {
	uint8_t address[16];
	uint16_t port;
};

/* What the kernel says of one connection. */
struct sockets_look {
	uint64_t cookie;
	uint32_t inode; /* 0: no descriptor leads to it */
	uint32_t user;
	uint8_t state;
	struct sockets_end here, peer;
	uint32_t unread, unsent;      /* bytes: not read by the program, not acknowledged */
	uint32_t memory, memory_most; /* of the receive queue */
	uint32_t send_most;           /* what the send buffer holds */
	uint64_t sent, received;      /* bytes of data, each counted once */
	struct tcp_info info;
};

#define SOCKETS_END_TEXT 64

/* Call take for each. 0, or -errno: the kernel does not say, or what take returned. */
typedef int sockets_take(void *context, const struct sockets_look *look);
int sockets_each(sockets_take *take, void *context);

/* A descriptor at which the kernel tells of each connection that ends (no process, no user), to
 * every user; or -errno. */
int sockets_ends_open(void);

/* Call take for those that have ended, without waiting. 0; or -errno: -ENOBUFS: some are lost. */
int sockets_ends_read(int fd, sockets_take *take, void *context);

/* "192.0.2.1:5000" or "[2001:db8::1]:5000". */
void sockets_end_format(const struct sockets_end *end, char text[SOCKETS_END_TEXT]);

#endif
