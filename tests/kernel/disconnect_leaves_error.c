/* socket.c: connect() to AF_UNSPEC ends a connection, or one being made; the socket keeps
 * ECONNRESET in SO_ERROR. It can be connected again, which takes that error away. */

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static void disconnect(int fd, const char *when)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	int error = error_of(connect(fd, &none, sizeof(none)));
	expect(error == 0, "AF_UNSPEC %s: %s", when, strerror(error));
	expect(tcp_state(fd) == TCP_CLOSE, "the state after AF_UNSPEC %s is %d", when,
	       tcp_state(fd));
}

int main(void)
{
	believe("connect(AF_UNSPEC) disconnects and leaves ECONNRESET");
	struct sockaddr_in address, full;
	int listener = tcp_listener(&address), fd = tcp_socket(0);
	expect(tcp_connect(fd, &address) == 0, "connect: %s", strerror(errno));
	close(tcp_accept(listener));
	disconnect(fd, "of a connection");
	int error = so_error(fd);
	expect(error == ECONNRESET, "SO_ERROR: %s", strerror(error));
	expect(so_error(fd) == 0, "SO_ERROR was not cleared");
	error = tcp_connect(fd, &address);
	expect(error == 0, "connect once more: %s", strerror(error));
	disconnect(fd, "of another connection");
	error = tcp_connect(fd, &address);
	expect(error == 0, "connect with the error in place: %s", strerror(error));
	error = so_error(fd);
	expect(error == 0, "connect left the old error: %s", strerror(error));

	full_listener(&full);
	fd = tcp_socket(SOCK_NONBLOCK);
	error = tcp_connect(fd, &full);
	expect(error == EINPROGRESS, "connect without blocking: %s", strerror(error));
	disconnect(fd, "in SYN_SENT");
	error = so_error(fd);
	expect(error == ECONNRESET, "SO_ERROR after SYN_SENT: %s", strerror(error));
	return it_holds();
}
