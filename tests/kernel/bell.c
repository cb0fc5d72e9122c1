/* bell.c: a listener with TCP_DEFER_ACCEPT is not woken by a connection but by its first byte; when
 * the last descriptor of a listener is closed, who waits in its queue is told. */

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

int main(void)
{
	believe("TCP_DEFER_ACCEPT waits for a byte; a listener's end resets its queue");
	struct sockaddr_in address;
	int listener = tcp_listener(&address), copy = dup(listener), seconds = 30;
	expect(setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)) == 0,
	       "TCP_DEFER_ACCEPT: %s", strerror(errno));
	int bell = tcp_socket(SOCK_NONBLOCK);
	tcp_connect(bell, &address);
	expect(wait_for(bell, POLLOUT) == POLLOUT, "it does not connect");
	expect(ready_for(listener) == 0, "the listener is woken by a connection without a byte");
	expect(send(bell, "", 1, 0) == 1, "send: %s", strerror(errno));
	wait_for(listener, POLLIN);

	close(listener);
	expect(!(ready_for(bell) & POLLHUP), "told while a duplicate of the listener is there");
	close(copy);
	wait_for(bell, POLLRDHUP);
	return it_holds();
}
