#include "shim/answer.h"

#include <errno.h>
#include <string.h>

#include "shim/next.h"

/* What a struct hostent points to. */
struct record {
	char *addresses[2], *aliases[1];
	uint8_t address[16];
	char name[sizeof(((struct question *)0)->name)];
};

static struct hostent static_host;
static struct record static_record;

/* question holds the answer: the name as well as the address. */
static void fill(struct hostent *host, struct record *record, const struct question *question)
{
	record->addresses[0] = (char *)record->address;
	record->addresses[1] = NULL;
	record->aliases[0] = NULL;
	memcpy(record->address, question->address, sizeof(record->address));
	memcpy(record->name, question->name, strlen(question->name) + 1);
	host->h_name = record->name;
	host->h_aliases = record->aliases;
	host->h_addrtype = question->family == 4 ? AF_INET : AF_INET6;
	host->h_length = question->family == 4 ? 4 : 16;
	host->h_addr_list = record->addresses;
}

int answer_give(const struct question *question, struct hostent *host, char *buffer, size_t size,
		struct hostent **result, int *error)
{
	size_t gap = -(uintptr_t)buffer % _Alignof(struct record);
	size_t need = gap + offsetof(struct record, name) + strlen(question->name) + 1;
	if (size < need) {
		*result = NULL;
		*error = NETDB_INTERNAL;
		errno = ERANGE;
		return ERANGE;
	}
	fill(host, (struct record *)(void *)(buffer + gap), question);
	*result = host;
	*error = NETDB_SUCCESS;
	return 0;
}

enum question_answer answer_by_name(struct question *question, const char *name, int family)
{
	if (!name || (family != AF_INET && family != AF_INET6) || !ask_is_name(name))
		return QUESTION_NOT_OURS;
	enum question_answer answer = ask_resolve(question, name, family == AF_INET ? 4 : 6, 0);
	memcpy(question->name, name, strlen(name) + 1);
	return answer;
}

enum question_answer answer_by_address(struct question *question, const void *address,
				       socklen_t len, int family)
{
	struct in_addr ipv4;
	struct in6_addr ipv6;
	enum question_answer answer = QUESTION_NOT_OURS;
	if (family == AF_INET && address && len == sizeof(ipv4)) {
		memcpy(&ipv4, address, sizeof(ipv4));
		if (ask_is_ipv4(ipv4))
			answer = ask_reverse(question, 4, address);
	} else if (family == AF_INET6 && address && len == sizeof(ipv6)) {
		memcpy(&ipv6, address, sizeof(ipv6));
		if (ask_is_ipv6(&ipv6))
			answer = ask_reverse(question, 6, address);
	}
	if (answer == QUESTION_OURS)
		memcpy(question->address, address, len);
	return answer;
}

struct hostent *answer_give_static(const struct question *question)
{
	fill(&static_host, &static_record, question);
	return &static_host;
}
