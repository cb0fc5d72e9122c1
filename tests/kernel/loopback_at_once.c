/* connect.c: on this host TCP is up when a non-blocking connect() returns, which says EINPROGRESS
 * all the same; another says 0, and only the one after it EISCONN. */

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static void step(int fd, const struct sockaddr_in *to, int wanted, const char *when)
{
	int error = tcp_connect(fd, to);
	expect(error == wanted, "the %s connect: %s", when, strerror(error));
	expect(tcp_state(fd) == TCP_ESTABLISHED, "after the %s connect the state is %d", when,
	       tcp_state(fd));
}

int main(void)
{
	believe("a non-blocking connect to this host is EINPROGRESS, 0, EISCONN");
	struct sockaddr_in address;
	tcp_listener(&address);
	int fd = tcp_socket(SOCK_NONBLOCK);
	step(fd, &address, EINPROGRESS, "first");
	step(fd, &address, 0, "second");
	step(fd, &address, EISCONN, "third");
	return it_holds();
}
