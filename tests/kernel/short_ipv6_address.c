/* address.c: connect() takes an IPv6 address without the scope at its end (RFC 2133), and none that
 * is shorter. */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

int main(void)
{
	believe("an IPv6 address may lack sin6_scope_id");
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	socklen_t len = sizeof(to), shorter = offsetof(struct sockaddr_in6, sin6_scope_id);
	int listener = socket(AF_INET6, SOCK_STREAM, 0), fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&to, len) < 0)
		skip("no IPv6 here: %s", strerror(errno));
	expect(listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&to, &len) == 0,
	       "no listener: %s", strerror(errno));
	int error = error_of(connect(fd, (struct sockaddr *)&to, shorter - 1));
	expect(error == EINVAL, "with %u bytes: %s", shorter - 1, strerror(error));
	error = error_of(connect(fd, (struct sockaddr *)&to, shorter));
	expect(error == 0, "with %u bytes: %s", shorter, strerror(error));
	return it_holds();
}
