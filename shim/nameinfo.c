/* getnameinfo(): the name of an address of ours; the service and every check are libc's. */

#include <netdb.h>
#include <string.h>

#include "shim/ask.h"
#include "shim/next.h"

typedef int getnameinfo_fn(const struct sockaddr *address, socklen_t len, char *host,
			   socklen_t host_size, char *service, socklen_t service_size, int flags);

/* Ask, if the address can be ours. */
static bool is_ours(struct question *question, const struct sockaddr *address, socklen_t len)
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
	if (address->sa_family == AF_INET && len >= sizeof(ipv4)) {
		memcpy(&ipv4, address, sizeof(ipv4));
		return ask_is_ipv4(ipv4.sin_addr) &&
		       ask_reverse(question, 4, &ipv4.sin_addr) == QUESTION_OURS;
	}
	if (address->sa_family == AF_INET6 && len >= sizeof(ipv6)) {
		memcpy(&ipv6, address, sizeof(ipv6));
		return ask_is_ipv6(&ipv6.sin6_addr) &&
		       ask_reverse(question, 6, &ipv6.sin6_addr) == QUESTION_OURS;
	}
	return false;
}

EXPORT int getnameinfo(const struct sockaddr *restrict address, socklen_t len, char *restrict host,
		       socklen_t host_size, char *restrict service, socklen_t service_size,
		       int flags)
{
	static struct next self = {"getnameinfo", NULL};
	getnameinfo_fn *next = (getnameinfo_fn *)next_find(&self);
	if (!next)
		return EAI_FAIL;
	struct question question;
	if (!address || len < sizeof(address->sa_family) || !host || !host_size ||
	    flags & NI_NUMERICHOST || !is_ours(&question, address, len))
		return ask_done(next(address, len, host, host_size, service, service_size, flags));
	/* NI_NAMEREQD asks for a name, which is there. */
	int rc = next(address, len, NULL, 0, service, service_size, flags & ~NI_NAMEREQD);
	if (rc)
		return rc;
	size_t name_size = strlen(question.name) + 1;
	if (name_size > host_size)
		return EAI_OVERFLOW;
	memcpy(host, question.name, name_size);
	return 0;
}
