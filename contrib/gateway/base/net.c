#include "contrib/gateway/base/net.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "contrib/gateway/base/cleanup.h"

static int parse_v6(const char *text, struct sockaddr_in6 *v6)
{
	char host[INET6_ADDRSTRLEN];
	const char *percent = strchr(text, '%');
	size_t len = percent ? (size_t)(percent - text) : strlen(text);

	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (percent) {
		v6->sin6_scope_id = if_nametoindex(percent + 1);
		if (!v6->sin6_scope_id)
			return -EINVAL;
	}
	return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
}

int address_parse(const char *text, uint16_t port, union address *address)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(port);
		return 0;
	}
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = htons(port);
	return parse_v6(text, &address->v6);
}

void address_host(const union address *address, char text[ADDRESS_TEXT_MAX])
{
	const struct sockaddr_in6 *v6 = &address->v6;
	char name[IF_NAMESIZE];

	if (address->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &address->v4.sin_addr, text, ADDRESS_TEXT_MAX);
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, ADDRESS_TEXT_MAX);
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, text, ADDRESS_TEXT_MAX);
	if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
	    if_indextoname(v6->sin6_scope_id, name)) {
		strcat(text, "%");
		strcat(text, name);
	}
}

uint16_t address_port(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port
						       : address->v6.sin6_port);
}

void address_set_port(union address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET)
		address->v4.sin_port = htons(port);
	else
		address->v6.sin6_port = htons(port);
}

socklen_t address_length(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

bool address_is_wildcard(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

void address_contact(const union address *address, struct contact *contact)
{
	char host[ADDRESS_TEXT_MAX];

	address_host(address, host);
	strcpy(contact->host, host);
	contact->port = address_port(address);
}

int net_listen(const union address *address, uint16_t *port)
{
	int on = 1, off = 0, family = address->any.sa_family;
	cleanup_fd int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union address bound = {0};
	socklen_t len = sizeof(bound);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6) /* "::" takes IPv4 too, whatever the system's default */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &address->any, address_length(address)) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, &bound.any, &len) < 0)
		return -errno;
	*port = address_port(&bound);
	return steal_fd(&fd);
}

int net_listen_elsewhere(const union address *address, uint16_t avoid, uint16_t *port)
{
	union address any = *address;
	cleanup_fd int fd = -1;

	address_set_port(&any, 0);
	fd = net_listen(&any, port);
	if (fd >= 0 && avoid && *port == avoid)
		return net_listen(&any, port); /* while the first still holds it */
	return steal_fd(&fd);
}

int net_connect(const union address *address)
{
	int family = address->any.sa_family;
	cleanup_fd int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	net_tune(fd);
	if (connect(fd, &address->any, address_length(address)) < 0 && errno != EINPROGRESS)
		return -errno;
	return steal_fd(&fd);
}

int net_connected(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

void net_tune(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

void net_reset(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

long net_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur > 1000000 ? 1000000 : (long)limit.rlim_cur;
}
