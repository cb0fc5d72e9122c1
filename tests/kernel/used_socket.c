/* socket_ask_connect(): connect() on a socket that is not fresh, by either way of saying it, looks
 * at nothing of the address: EALREADY in SYN_SENT, EISCONN when connected or listening. On a fresh
 * one, an address of no family is EAFNOSUPPORT, and leaves it fresh. */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static void check(int fd, int wanted, const char *when)
{
	struct sockaddr_in another = {.sin_family = UINT16_MAX};
	int error = tcp_connect(fd, &another);
	expect(error == wanted, "connect %s: %s", when, strerror(error));
	if (!(number_in("/proc/sys/net/ipv4/tcp_fastopen") & 1))
		return;
	error = tcp_connect_by_send(fd, &another);
	expect(error == wanted, "sendto %s: %s", when, strerror(error));
}

int main(void)
{
	believe("a used socket is EALREADY or EISCONN, whatever the address");
	check(tcp_socket(SOCK_NONBLOCK), EAFNOSUPPORT, "when fresh");
	struct sockaddr_in address, full;
	int connected, accepted, listener = tcp_listener(&address), fd = tcp_socket(SOCK_NONBLOCK);
	tcp_pair(&connected, &accepted);
	check(connected, EISCONN, "when connected");
	check(accepted, EISCONN, "when accepted");
	check(listener, EISCONN, "when listening");
	full_listener(&full);
	expect(tcp_connect(fd, &full) == EINPROGRESS, "connect: %s", strerror(errno));
	check(fd, EALREADY, "in SYN_SENT");
	return it_holds();
}
