#include "supervisor/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

socklen_t address_len(const union address *address)
{
	return address->sa.sa_family == AF_INET ? sizeof(address->in) : sizeof(address->in6);
}

uint16_t address_port(const union address *address)
{
	return ntohs(address->in.sin_port); /* at the same place in both families */
}

void address_set_port(union address *address, uint16_t port)
{
	address->in.sin_port = htons(port);
}

static void unmap(union address *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = address->in6.sin6_port};
	memcpy(&in.sin_addr, address->in6.sin6_addr.s6_addr + 12, 4);
	memset(address, 0, sizeof(*address));
	address->in = in;
}

int address_from(union address *address, const void *raw, size_t len)
{
	sa_family_t family;
	memset(address, 0, sizeof(*address));
	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, raw, sizeof(family));
	if (family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		memcpy(&address->in, raw, sizeof(address->in));
		memset(address->in.sin_zero, 0, sizeof(address->in.sin_zero));
		return 0;
	}
	/* the kernel takes an IPv6 address without the scope at its end (RFC 2133) */
	if (family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		memcpy(&address->in6, raw, len < sizeof(address->in6) ? len : sizeof(address->in6));
		address->in6.sin6_flowinfo = 0;
		if (IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
			unmap(address);
		return 0;
	}
	return family == AF_INET || family == AF_INET6 ? -EINVAL : -EAFNOSUPPORT;
}

int address_from_contact(union address *address, const struct contact *contact)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, contact->host, &address->in.sin_addr) == 1)
		address->sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, contact->host, &address->in6.sin6_addr) == 1)
		address->sa.sa_family = AF_INET6;
	else
		return -EINVAL;
	address_set_port(address, contact->port);
	return 0;
}

bool address_for_socket(union address *address, int family)
{
	if (address->sa.sa_family == family)
		return true;
	if (family != AF_INET6)
		return false;
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = address->in.sin_port};
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(in6.sin6_addr.s6_addr + 12, &address->in.sin_addr, 4);
	address->in6 = in6;
	return true;
}

bool address_same(const union address *a, const union address *b)
{
	if (a->sa.sa_family != b->sa.sa_family || a->in.sin_port != b->in.sin_port)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

bool address_is_any(const union address *address)
{
	if (address->sa.sa_family == AF_INET)
		return address->in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

bool address_is_loopback(const union address *address)
{
	if (address->sa.sa_family == AF_INET)
		return (ntohl(address->in.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
}

void address_format(const union address *address, char text[ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "?";
	bool v4 = address->sa.sa_family == AF_INET;
	inet_ntop(address->sa.sa_family,
		  v4 ? (void *)&address->in.sin_addr : (void *)&address->in6.sin6_addr, host,
		  sizeof(host));
	snprintf(text, ADDRESS_TEXT, v4 ? "%s:%u" : "[%s]:%u", host,
		 (unsigned)address_port(address));
}
