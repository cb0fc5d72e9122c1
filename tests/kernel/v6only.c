/* socket.c, connect.c: a V6ONLY socket cannot reach an IPv4-mapped address (ENETUNREACH) until that
 * is cleared, which works while it is not bound. An IPv4 socket never reaches an IPv6 address. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static int v6_socket(int only)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		skip("no IPv6 here: %s", strerror(errno));
	expect(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) == 0, "V6ONLY: %s",
	       strerror(errno));
	return fd;
}

static int set_v6only(int fd, int only)
{
	return error_of(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)));
}

int main(void)
{
	believe("a V6ONLY socket needs it cleared, while unbound, to reach IPv4");
	struct sockaddr_in address;
	tcp_listener(&address);
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = address.sin_port},
			    any = {.sin6_family = AF_INET6};
	mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&mapped.sin6_addr.s6_addr[12], &address.sin_addr, sizeof(address.sin_addr));

	int fd = v6_socket(1);
	int error = error_of(connect(fd, (struct sockaddr *)&mapped, sizeof(mapped)));
	expect(error == ENETUNREACH, "connect of a V6ONLY socket: %s", strerror(error));
	error = set_v6only(fd, 0);
	expect(error == 0, "clearing V6ONLY: %s", strerror(error));
	error = error_of(connect(fd, (struct sockaddr *)&mapped, sizeof(mapped)));
	expect(error == 0, "connect once it is cleared: %s", strerror(error));

	fd = v6_socket(1);
	expect(bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0, "bind: %s", strerror(errno));
	error = set_v6only(fd, 0);
	expect(error == EINVAL, "clearing V6ONLY once bound: %s", strerror(error));

	any.sin6_addr = in6addr_loopback;
	any.sin6_port = address.sin_port;
	error = error_of(connect(tcp_socket(0), (struct sockaddr *)&any, sizeof(any)));
	expect(error == EAFNOSUPPORT, "an IPv4 socket to IPv6: %s", strerror(error));
	return it_holds();
}
