/* accept.c: accept4() on a duplicate goes by the flags of the listener's open file: O_NONBLOCK set
 * by the program is EAGAIN here too. What is accepted does not have that flag. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

int main(void)
{
	believe("accept4 on a duplicate goes by the listener's own flags");
	struct sockaddr_in address;
	int listener = tcp_listener(&address), copy = dup(listener);
	fcntl(listener, F_SETFL, O_NONBLOCK);
	int error = error_of(accept4(copy, NULL, NULL, SOCK_CLOEXEC));
	expect(error == EAGAIN, "accept4 with nothing there: %s", strerror(error));
	expect(tcp_connect(tcp_socket(0), &address) == 0, "connect: %s", strerror(errno));
	wait_for(copy, POLLIN);
	int fd = accept4(copy, NULL, NULL, SOCK_CLOEXEC);
	expect(fd >= 0, "accept4: %s", strerror(errno));
	expect(!(fcntl(fd, F_GETFL) & O_NONBLOCK), "the connection has the listener's O_NONBLOCK");
	expect(fcntl(fd, F_GETFD) == FD_CLOEXEC, "SOCK_CLOEXEC is not heeded");
	return it_holds();
}
