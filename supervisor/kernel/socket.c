#include "supervisor/kernel/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "supervisor/base/address.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#ifndef SO_TIMESTAMPING_OLD
#define SO_TIMESTAMPING_OLD 37
#endif
#ifndef SO_TIMESTAMPING_NEW
#define SO_TIMESTAMPING_NEW 65
#endif
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

#define ACCEPT_US 2000 /* an accept() that blocks ends after this */

/* SO_RCVLOWAT: more than a handshake's frames, and little enough that no receive buffer grows for
 * it
 */
#define HUSHED 16384

#define CLOSE_US 1000 /* that a close may take */

/* of SO_TIMESTAMPING: what is told of bytes that are sent */
#define SENT_STAMPS                                                                                \
	(uint32_t)(SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE |                   \
		   SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK)

static void interrupt(int signal)
{
	(void)signal; /* its arrival is what counts: the call ends with EINTR */
}

void socket_init(void)
{
	struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */
	sigset_t alarm;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
}

/* The first signal might come just before the call. */
void socket_interrupting(suseconds_t us)
{
	struct itimerval timer = {.it_value.tv_usec = us, .it_interval.tv_usec = us};
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return getsockopt(fd, level, name, &value, &len) == 0 ? value : 0;
}

int socket_family(int fd)
{
	return option(fd, SOL_SOCKET, SO_DOMAIN);
}

/* libc's fstat() calls newfstatat(), which takes paths too and is not for us (confine.h). */
static int file_status(int fd, struct stat *stat)
{
	return (int)syscall(SYS_fstat, fd, stat);
}

uint32_t socket_owner(int fd)
{
	struct stat stat;
	return file_status(fd, &stat) == 0 ? stat.st_uid : UNKNOWN_UID;
}

uint64_t socket_inode(int fd)
{
	struct stat stat;
	return file_status(fd, &stat) == 0 ? stat.st_ino : 0;
}

bool socket_is_tcp(int fd)
{
	int protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);
	return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
}

bool socket_is_multipath(int fd)
{
	return option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_MPTCP;
}

bool socket_is_nonblocking(int fd)
{
	return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

bool socket_is_listening(int fd)
{
	return option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0;
}

int socket_tcp_state(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info.tcpi_state);
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_state : 0;
}

bool socket_fin_came(int tcp_state)
{
	return tcp_state == TCP_CLOSE_WAIT || tcp_state == TCP_LAST_ACK || tcp_state == TCP_CLOSING;
}

uint64_t socket_timeout(int fd, int name)
{
	struct timeval time = {0};
	socklen_t len = sizeof(time);
	if (getsockopt(fd, SOL_SOCKET, name, &time, &len) < 0)
		return 0;
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_usec * 1000;
}

uint64_t socket_netns(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

int socket_device(int fd)
{
	return option(fd, SOL_SOCKET, SO_BINDTOIFINDEX);
}

bool socket_reuses_port(int fd)
{
	return option(fd, SOL_SOCKET, SO_REUSEPORT) != 0;
}

/* A connect() that is interrupted goes on by itself, like one that does not block. */
static int connect_interrupted(int fd, const union address *to)
{
	bool blocks = !socket_is_nonblocking(fd);
	if (blocks)
		socket_interrupting(100); /* it always blocks */
	int err = connect(fd, &to->sa, address_len(to)) < 0 ? -errno : 0;
	if (blocks)
		socket_interrupting(0);
	return err == -EINTR ? -EINPROGRESS : err;
}

int socket_connect(int fd, const union address *to)
{
	/* no data: the one way to say for this call alone that it must not block (tcp(7),
	 * MSG_FASTOPEN) */
	if (sendto(fd, NULL, 0, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, &to->sa,
		   address_len(to)) == 0)
		return 0;
	/* turned off; or MPTCP, which takes it once only */
	return errno == EOPNOTSUPP || errno == EINVAL ? connect_interrupted(fd, to) : -errno;
}

/* The kernel looks at the address only where the socket is fresh, and then at its family first. */
int socket_ask_connect(int fd)
{
	const union address nowhere = {.in.sin_family = UINT16_MAX};
	int err = socket_connect(fd, &nowhere);
	return err == -EINPROGRESS ? -EALREADY : err;
}

void socket_disconnect(int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	(void)connect(fd, &none, sizeof(none));
}

int socket_take_error(int fd)
{
	return option(fd, SOL_SOCKET, SO_ERROR);
}

void socket_allow_ipv4(int fd)
{
	int off = 0;
	if (option(fd, IPPROTO_IPV6, IPV6_V6ONLY))
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
}

bool socket_has_connection(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	return poll(&ready, 1, 0) > 0;
}

uint32_t socket_queued(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	/* of a listening socket it is that (tcp_get_info(), Linux 2.6.26) */
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_unacked : 0;
}

int socket_accept(int fd, union address *peer)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	/* whatever O_NONBLOCK said a moment ago: it is the program's, whose threads may change it
	 */
	socket_interrupting(ACCEPT_US);
	int accepted = accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
	int err = accepted < 0 ? -errno : 0;
	socket_interrupting(0);
	if (err)
		return err;
	if (address_from(peer, &from, len) < 0)
		memset(peer, 0, sizeof(*peer));
	return accepted;
}

int socket_name(int fd, union address *name, int *family)
{
	struct sockaddr_storage raw;
	socklen_t len = sizeof(raw);
	if (getsockname(fd, (struct sockaddr *)&raw, &len) < 0)
		return -errno;
	if (family)
		*family = raw.ss_family;
	return address_from(name, &raw, len);
}

int socket_peer(int fd, union address *peer)
{
	struct sockaddr_storage raw;
	socklen_t len = sizeof(raw);
	if (getpeername(fd, (struct sockaddr *)&raw, &len) < 0)
		return -errno;
	return address_from(peer, &raw, len);
}

static void set_low_water(int fd, int value)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value));
}

/* The option that the program has set it by, and which alone tells. */
static int stamps_option(int fd)
{
	return option(fd, SOL_SOCKET, SO_TIMESTAMPING_NEW) ? SO_TIMESTAMPING_NEW
							   : SO_TIMESTAMPING_OLD;
}

static void set_stamps(int fd, uint32_t stamps)
{
	setsockopt(fd, SOL_SOCKET, stamps_option(fd), &stamps, sizeof(stamps));
}

/* Nothing that is sent now is told in the program's error queue. What came of it is as it was: what
 * is counted by OPT_ID begins when that is set. */
static void stop_stamps(struct conn *conn)
{
	uint32_t stamps = (uint32_t)option(conn->fd, SOL_SOCKET, SO_TIMESTAMPING_OLD);
	if (!(stamps & SENT_STAMPS))
		return;
	conn->stamps = stamps;
	atomic_signal_fence(memory_order_seq_cst);
	set_stamps(conn->fd, stamps & ~SENT_STAMPS);
}

static void restore_stamps(struct conn *conn)
{
	if (!conn->stamps)
		return;
	uint32_t now = (uint32_t)option(conn->fd, SOL_SOCKET, SO_TIMESTAMPING_OLD);
	if (now == (conn->stamps & ~SENT_STAMPS))
		set_stamps(conn->fd, conn->stamps);
	conn->stamps = 0;
}

void socket_begin_handshake(struct conn *conn)
{
	int off = 0;
	stop_stamps(conn);
	/* what is known already was asked by a supervisor that died, before it changed it */
	if (conn->low_water == 0) {
		conn->cork = option(conn->fd, IPPROTO_TCP, TCP_CORK) != 0;
		conn->low_water = option(conn->fd, SOL_SOCKET, SO_RCVLOWAT);
	}
	if (conn->cork)
		setsockopt(conn->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	if (conn->told)
		socket_hush(conn);
	else if (conn->low_water > 1)
		set_low_water(conn->fd, 1);
}

struct linger socket_linger(int fd)
{
	struct linger linger = {0};
	socklen_t len = sizeof(linger);
	getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len);
	return linger;
}

void socket_set_linger(int fd, struct linger linger)
{
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void socket_close(int fd)
{
	socket_interrupting(CLOSE_US);
	close(fd);
	socket_interrupting(0);
}

void socket_hush(struct conn *conn)
{
	if (!conn->low_water)
		return;
	set_low_water(conn->fd, HUSHED);
	conn->hushed = option(conn->fd, SOL_SOCKET, SO_RCVLOWAT); /* less in a small buffer */
}

/* It is what we have set, or a supervisor that died before it had read that. */
static bool is_hushed(const struct conn *conn)
{
	int most = option(conn->fd, SOL_SOCKET, SO_RCVBUF) / 2;
	int value = option(conn->fd, SOL_SOCKET, SO_RCVLOWAT);
	return value == (conn->hushed ? conn->hushed : most < HUSHED ? most : HUSHED);
}

void socket_end_handshake(struct conn *conn)
{
	int on = 1;
	if (conn->low_water == 0)
		return;
	if (conn->cork)
		setsockopt(conn->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	/* a program that has been told may have set another meanwhile */
	if (conn->told ? is_hushed(conn) : conn->low_water > 1)
		set_low_water(conn->fd, conn->low_water);
	restore_stamps(conn);
	conn->low_water = 0;
	conn->hushed = 0;
	conn->cork = false;
}

void socket_empty(int fd)
{
	char urgent;
	shutdown(fd, SHUT_RDWR); /* what comes from now on resets it */
	while (recv(fd, NULL, INT_MAX, MSG_DONTWAIT | MSG_TRUNC) > 0)
		; /* tcp(7), MSG_TRUNC */
	(void)!recv(fd, &urgent, 1, MSG_OOB | MSG_DONTWAIT);
}

bool socket_has_bytes(int fd)
{
	int count = 0;
	return ioctl(fd, SIOCINQ, &count) == 0 && count > 0;
}

/* How well an address of a device suits to call a socket of a family; 0: not at all. IPv4 has none
 * that is not ready yet; nor do link-local ones need anything that may be missing, but a scope. */
static int suits(const union address *address, int family, bool v6only)
{
	if (address->sa.sa_family == AF_INET)
		return family == AF_INET || !v6only ? 3 : 0;
	if (family != AF_INET6)
		return 0;
	return IN6_IS_ADDR_LINKLOCAL(&address->in6.sin6_addr) ? 1 : 2;
}

int socket_device_address(int fd, union address *address)
{
	char device[IF_NAMESIZE] = "";
	socklen_t len = sizeof(device);
	union address best = {0};
	struct ifaddrs *all;
	int family = socket_family(fd), suit = 0;
	bool v6only = option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0;
	if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len) < 0 || len == 0 || !*device)
		return -ENODEV;
	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		union address found;
		if (strcmp(at->ifa_name, device) != 0 || !at->ifa_addr ||
		    address_from(&found, at->ifa_addr, sizeof(struct sockaddr_in6)) < 0 ||
		    suits(&found, family, v6only) <= suit)
			continue;
		suit = suits(&found, family, v6only);
		best = found;
	}
	freeifaddrs(all);
	if (!suit)
		return -ENODEV;
	address_set_port(&best, address_port(address));
	*address = best;
	return 0;
}
