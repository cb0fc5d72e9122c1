/* accept.c: accept() with a full descriptor table is EMFILE, and the connection stays in the queue.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

int main(void)
{
	believe("accept() without room is EMFILE and loses nothing");
	struct sockaddr_in address;
	struct rlimit limit, none;
	int listener = tcp_listener(&address), fd = tcp_socket(0);
	expect(tcp_connect(fd, &address) == 0, "connect: %s", strerror(errno));
	expect(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit: %s", strerror(errno));
	none = (struct rlimit){0, limit.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	int error = error_of(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	setrlimit(RLIMIT_NOFILE, &limit);
	expect(error == EMFILE, "accept4: %s", strerror(error));
	expect(send(tcp_accept(listener), "x", 1, 0) == 1, "send: %s", strerror(errno));
	expect(recv(fd, &(char){0}, 1, 0) == 1, "the connection is another");
	return it_holds();
}
