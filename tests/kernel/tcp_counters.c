/*
 * lan.c: how many bytes a socket has sent and its owners have read is told by the socket:
 *
 *     sent  bytes_acked + SIOCOUTQ, less one where it connected (the SYN)
 *     read  bytes_received - SIOCINQ, less one once a FIN has come
 */

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	expect(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0, "TCP_INFO: %s",
	       strerror(errno));
	expect(len >= offsetof(struct tcp_info, tcpi_segs_out), "TCP_INFO has only %u bytes", len);
	return info;
}

static void check(int fd, const char *who, bool connected, bool fin, long sent, long read)
{
	struct tcp_info before, after;
	int unacked, unread;
	do { /* an ACK may come in between */
		before = info_of(fd);
		expect(ioctl(fd, SIOCOUTQ, &unacked) == 0 && ioctl(fd, SIOCINQ, &unread) == 0,
		       "SIOCOUTQ or SIOCINQ: %s", strerror(errno));
		after = info_of(fd);
	} while (before.tcpi_bytes_acked != after.tcpi_bytes_acked ||
		 before.tcpi_bytes_received != after.tcpi_bytes_received);
	long has_sent = (long)after.tcpi_bytes_acked + unacked - connected;
	long has_read = (long)after.tcpi_bytes_received - unread - fin;
	expect(has_sent == sent, "%s: %ld sent, not %ld", who, has_sent, sent);
	expect(has_read == read, "%s: %ld read, not %ld", who, has_read, read);
}

int main(void)
{
	believe("TCP_INFO, SIOCOUTQ and SIOCINQ tell what was sent and read");
	int caller, answerer;
	char room[100] = {0};
	tcp_pair(&caller, &answerer);
	check(caller, "the caller, at first", true, false, 0, 0);
	check(answerer, "the answerer, at first", false, false, 0, 0);

	expect(send(caller, room, 100, 0) == 100 && send(answerer, room, 7, 0) == 7, "send: %s",
	       strerror(errno));
	wait_for(answerer, POLLIN);
	wait_for(caller, POLLIN);
	check(caller, "the caller, 100 sent", true, false, 100, 0);
	check(answerer, "the answerer, 7 sent", false, false, 7, 0);
	expect(recv(answerer, room, 60, 0) == 60, "recv: %s", strerror(errno));
	check(answerer, "the answerer, 60 read", false, false, 7, 60);

	shutdown(caller, SHUT_WR);
	wait_for(answerer, POLLRDHUP);
	check(answerer, "the answerer, a FIN has come", false, true, 7, 60);
	expect(recv(answerer, room, sizeof(room), 0) == 40, "recv: %s", strerror(errno));
	check(answerer, "the answerer, all read", false, true, 7, 100);
	expect(recv(answerer, room, sizeof(room), 0) == 0, "recv: %s", strerror(errno));
	check(answerer, "the answerer, its end read", false, true, 7, 100);
	return it_holds();
}
