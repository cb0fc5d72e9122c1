#include "tests/kernel/net.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"

int tcp_socket(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	expect(fd >= 0, "socket: %s", strerror(errno));
	return fd;
}

static int listen_with(struct sockaddr_in *address, int backlog)
{
	socklen_t len = sizeof(*address);
	int fd = tcp_socket(0);
	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	expect(bind(fd, (struct sockaddr *)address, len) == 0 && listen(fd, backlog) == 0 &&
		       getsockname(fd, (struct sockaddr *)address, &len) == 0,
	       "no listener: %s", strerror(errno));
	return fd;
}

int tcp_listener(struct sockaddr_in *address)
{
	return listen_with(address, SOMAXCONN);
}

int full_listener(struct sockaddr_in *address)
{
	int fd = listen_with(address, 0);
	expect(tcp_connect(tcp_socket(0), address) == 0, "the first connect fails");
	wait_for(fd, POLLIN); /* in the queue, which holds one: tcp_conn_request() */
	return fd;
}

int tcp_connect(int fd, const struct sockaddr_in *to)
{
	return error_of(connect(fd, (const struct sockaddr *)to, sizeof(*to)));
}

int tcp_connect_by_send(int fd, const struct sockaddr_in *to)
{
	return error_of(sendto(fd, NULL, 0, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL,
			       (const struct sockaddr *)to, sizeof(*to)));
}

int tcp_accept(int listener)
{
	int fd = accept(listener, NULL, NULL);
	expect(fd >= 0, "accept: %s", strerror(errno));
	return fd;
}

void tcp_pair(int *connected, int *accepted)
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address);
	*connected = tcp_socket(0);
	expect(tcp_connect(*connected, &address) == 0, "connect: %s", strerror(errno));
	*accepted = tcp_accept(listener);
	close(listener);
}

int tcp_state(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info.tcpi_state);
	expect(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0, "TCP_INFO: %s",
	       strerror(errno));
	return info.tcpi_state;
}

int so_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	expect(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0, "SO_ERROR: %s",
	       strerror(errno));
	return error;
}

short ready_for(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN | POLLOUT};
	expect(poll(&ready, 1, 0) >= 0, "poll: %s", strerror(errno));
	return ready.revents;
}

short wait_for(int fd, short events)
{
	struct pollfd ready = {.fd = fd, .events = events};
	while (poll(&ready, 1, -1) < 0)
		expect(errno == EINTR, "poll: %s", strerror(errno));
	return ready.revents;
}

void own_network(void)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int flags = getuid() == 0 ? CLONE_NEWNET : CLONE_NEWNET | CLONE_NEWUSER;
	if (unshare(flags) < 0)
		skip("no network namespace of our own: %s", strerror(errno));
	int fd = tcp_socket(0);
	expect(ioctl(fd, SIOCSIFFLAGS, &loopback) == 0, "lo: %s", strerror(errno));
	close(fd);
}
