/* socket.c: an MPTCP socket tells TCP's state, and connect() says on it what it says on a TCP
 * socket. sendto() with MSG_FASTOPEN does not: before Linux 6.2 it is EOPNOTSUPP, after that it
 * begins a connection, and is EINVAL to whoever asks by it again, also once TCP is up. */

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "protocol/older.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int mptcp_socket(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, IPPROTO_MPTCP);
	if (fd < 0)
		skip("no MPTCP here: %s", strerror(errno));
	return fd;
}

static void step(int fd, const struct sockaddr_in *to, int wanted, const char *when)
{
	int error = tcp_connect(fd, to);
	expect(error == wanted, "connect %s: %s", when, strerror(error));
}

int main(void)
{
	believe("connect() on an MPTCP socket is as on a TCP socket, MSG_FASTOPEN is not");
	struct sockaddr_in address;
	int listener = full_listener(&address), fd = mptcp_socket(SOCK_NONBLOCK);
	expect(tcp_state(fd) == TCP_CLOSE, "its first state is %d", tcp_state(fd));
	step(fd, &address, EINPROGRESS, "at first");
	step(fd, &address, EALREADY, "in SYN_SENT");
	expect(ready_for(fd) == 0, "in SYN_SENT it says 0x%x", (unsigned)ready_for(fd));
	close(tcp_accept(listener)); /* makes room */
	expect(wait_for(fd, POLLOUT) == POLLOUT, "TCP does not come up");
	expect(tcp_state(fd) == TCP_ESTABLISHED, "then its state is %d", tcp_state(fd));
	step(fd, &address, 0, "once TCP is up");
	step(fd, &address, EISCONN, "once more");

	tcp_listener(&address);
	fd = mptcp_socket(0);
	int first = tcp_connect_by_send(fd, &address);
	expect(first == EOPNOTSUPP || first == EINPROGRESS, "sendto: %s", strerror(first));
	if (first == EINPROGRESS) {
		wait_for(fd, POLLOUT);
		int second = tcp_connect_by_send(fd, &address);
		seen("sendto() again: %s", strerrorname_np(second));
	}
	step(fd, &address, 0, "after sendto");
	return it_holds();
}
