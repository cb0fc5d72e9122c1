/* supervisor.c: SO_NETNS_COOKIE (Linux 5.14) is one for all sockets of a network namespace, and
 * another in another. */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int error = error_of(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len));
	expect(error == 0 && cookie, "SO_NETNS_COOKIE: %s", strerror(error));
	return cookie;
}

int main(void)
{
	believe("SO_NETNS_COOKIE tells network namespaces apart");
	if (!kernel_since(5, 14))
		skip("this kernel has no SO_NETNS_COOKIE");
	int here = tcp_socket(0);
	expect(cookie_of(here) == cookie_of(tcp_socket(0)), "two sockets of one namespace differ");
	own_network();
	expect(cookie_of(here) != cookie_of(tcp_socket(0)), "another namespace has the same");
	return it_holds();
}
