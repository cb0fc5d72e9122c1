/* connect.c: reading SO_ERROR on a duplicate takes the error away from the socket's owner. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

int main(void)
{
	believe("SO_ERROR read on a duplicate is gone for the owner");
	struct sockaddr_in address;
	int fd = tcp_socket(SOCK_NONBLOCK), other = dup(fd);
	close(tcp_listener(&address));
	int error = tcp_connect(fd, &address);
	expect(error == EINPROGRESS, "connect: %s", strerror(error));
	wait_for(fd, POLLOUT);
	error = so_error(other);
	expect(error == ECONNREFUSED, "SO_ERROR of the duplicate: %s", strerror(error));
	expect(so_error(fd) == 0, "the owner still has the error");
	return it_holds();
}
