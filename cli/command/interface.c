#include "cli/command/interface.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* An address as IPv6 has it; false: of another family. */
static bool as_ipv6(const struct sockaddr *address, struct in6_addr *bytes)
{
	if (address && address->sa_family == AF_INET6) {
		*bytes = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
		return true;
	}
	if (!address || address->sa_family != AF_INET)
		return false;
	*bytes = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
	memcpy(&bytes->s6_addr[12], &((const struct sockaddr_in *)(const void *)address)->sin_addr,
	       4);
	return true;
}

static bool has(const struct ifaddrs *interfaces, const struct sockaddr *address)
{
	struct in6_addr wanted, found;
	if (!as_ipv6(address, &wanted))
		return false;
	for (; interfaces; interfaces = interfaces->ifa_next)
		if (as_ipv6(interfaces->ifa_addr, &found) &&
		    memcmp(&wanted, &found, sizeof(found)) == 0)
			return true;
	return false;
}

int interface_has(const char *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	struct ifaddrs *interfaces;
	int code = getaddrinfo(host, NULL, &hints, &list);
	if (code)
		return code;
	bool found = getifaddrs(&interfaces) < 0;
	if (!found) {
		for (const struct addrinfo *at = list; at && !found; at = at->ai_next)
			found = has(interfaces, at->ai_addr);
		freeifaddrs(interfaces);
	}
	freeaddrinfo(list);
	return found;
}
