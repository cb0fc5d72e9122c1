/*
 * getaddrinfo(). An address of ours goes back to libc as a number, so that the list is made,
 * checked and freed by libc itself, with its own socket types, services and errors. Only what would
 * show that a number was asked for is put right afterwards: the canonical name and the flags.
 */

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "shim/ask.h"
#include "shim/next.h"

typedef int getaddrinfo_fn(const char *node, const char *service, const struct addrinfo *hints,
			   struct addrinfo **list);

/* Room for an address as text, written as long as a name. */
#define NUMBER_SIZE (sizeof(((struct question *)0)->name) + INET6_ADDRSTRLEN)

/* What glibc takes where the caller gives no hints. */
static const struct addrinfo no_hints = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};

/* The port that service says in decimal, 0 where it says none, -1 where it is a service's name. */
static int numeric_port(const char *service)
{
	uint32_t port = 0;
	for (; service && *service; service++) {
		if (*service < '0' || *service > '9')
			return -1;
		port = port * 10 + (uint32_t)(*service - '0');
	}
	return (uint16_t)port;
}

/* The port of a service by its name, by libc's own tables; 0: there is none. */
static uint16_t named_port(getaddrinfo_fn *next, const char *service, const struct addrinfo *hints)
{
	struct addrinfo only = {.ai_family = AF_INET,
				.ai_socktype = hints->ai_socktype,
				.ai_protocol = hints->ai_protocol};
	struct addrinfo *list = NULL;
	if (next(NULL, service, &only, &list))
		return 0;
	struct sockaddr_in address;
	memcpy(&address, list->ai_addr, sizeof(address));
	freeaddrinfo(list);
	return ntohs(address.sin_port);
}

/* The port of a named service is looked up for names of ours alone: so first without it. */
static enum question_answer resolve(getaddrinfo_fn *next, struct question *question,
				    const char *node, const char *service,
				    const struct addrinfo *hints)
{
	uint8_t family = hints->ai_family == AF_INET ? 4 : hints->ai_family == AF_INET6 ? 6 : 0;
	if (family == 6 && hints->ai_flags & AI_V4MAPPED)
		family = 0; /* libc maps an IPv4 number by itself */
	int port = numeric_port(service);
	if (port >= 0)
		return ask_resolve(question, node, family, (uint16_t)port);
	enum question_answer answer = ask_resolve(question, node, family, 0);
	if (answer != QUESTION_OURS)
		return answer;
	port = named_port(next, service, hints);
	return port ? ask_resolve(question, node, family, (uint16_t)port) : QUESTION_NOT_OURS;
}

/* The address as text. With fill it is longer than that many characters: libc hands it out as the
 * canonical name, in memory of its own, and the name goes over it there. Leading zeros do it: an
 * IPv4 number may have any number of them where it is octal, and so may the scope of an IPv6
 * address. */
static void write_number(char number[NUMBER_SIZE], const struct question *question, size_t fill)
{
	const uint8_t *address = question->address;
	memset(number, '0', fill);
	if (question->family == 4) {
		snprintf(number + fill, NUMBER_SIZE - fill, "0%o.%u.%u.%u", address[0], address[1],
			 address[2], address[3]);
		return;
	}
	inet_ntop(AF_INET6, address, number, INET6_ADDRSTRLEN);
	if (fill) {
		size_t end = strlen(number);
		number[end] = '%';
		memset(number + end + 1, '0', fill);
		number[end + 1 + fill] = '\0';
	}
}

static void put_right(struct addrinfo *list, const char *node, int flags, int flags_used)
{
	if (list->ai_canonname && strlen(list->ai_canonname) >= strlen(node))
		memcpy(list->ai_canonname, node, strlen(node) + 1);
	for (; list; list = list->ai_next)
		if (list->ai_flags == flags_used)
			list->ai_flags = flags;
}

static int answer_ours(getaddrinfo_fn *next, const struct question *question, const char *node,
		       const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	struct addrinfo used = *hints;
	/* The address is ours to reach, whatever addresses the machine has. */
	used.ai_flags = (used.ai_flags & ~AI_ADDRCONFIG) | AI_NUMERICHOST;
	char number[NUMBER_SIZE];
	write_number(number, question, used.ai_flags & AI_CANONNAME ? strlen(node) : 0);
	int rc = next(number, service, &used, list);
	if (!rc)
		put_right(*list, node, hints->ai_flags, used.ai_flags);
	return rc;
}

EXPORT int getaddrinfo(const char *restrict node, const char *restrict service,
		       const struct addrinfo *restrict hints, struct addrinfo **restrict list)
{
	static struct next self = {"getaddrinfo", NULL};
	getaddrinfo_fn *next = (getaddrinfo_fn *)next_find(&self);
	if (!next)
		return EAI_FAIL;
	const struct addrinfo *wanted = hints ? hints : &no_hints;
	if (!node || wanted->ai_flags & AI_NUMERICHOST || !ask_is_name(node) ||
	    (wanted->ai_family != AF_UNSPEC && wanted->ai_family != AF_INET &&
	     wanted->ai_family != AF_INET6))
		return ask_done(next(node, service, hints, list));
	struct question question;
	switch (resolve(next, &question, node, service, wanted)) {
	case QUESTION_OURS:
		return answer_ours(next, &question, node, service, wanted, list);
	case QUESTION_NO_FAMILY:
		return EAI_NONAME; /* as glibc says of a name in /etc/hosts */
	default:
		return ask_done(next(node, service, hints, list));
	}
}
