/* A duplicate that is kept holds back the FIN of a connection, and keeps a listener's port. So none
 * outlives what it was made for. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static int bind_to(const struct sockaddr_in *address)
{
	int fd = tcp_socket(0);
	int error = error_of(bind(fd, (const struct sockaddr *)address, sizeof(*address)));
	close(fd);
	return error;
}

int main(void)
{
	believe("a duplicate holds back FIN and keeps a port");
	struct sockaddr_in address;
	int connected, accepted, listener = tcp_listener(&address), copy = dup(listener);
	close(listener);
	int error = bind_to(&address);
	expect(error == EADDRINUSE, "bind while a duplicate is there: %s", strerror(error));
	close(copy);
	error = bind_to(&address);
	expect(error == 0, "bind once it is closed: %s", strerror(error));

	tcp_pair(&connected, &accepted);
	copy = dup(connected);
	close(connected);
	expect(!(ready_for(accepted) & POLLIN), "the end came with a duplicate there");
	close(copy);
	wait_for(accepted, POLLRDHUP);
	return it_holds();
}
