/*
 * gethostbyname(), gethostbyaddr() and their variants. Where libc is called instead, it is called
 * with what the caller gave. The functions without _r return one static result, as libc's do: two
 * threads that use them overwrite each other's.
 */

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>

#include "shim/ask.h"
#include "shim/next.h"

typedef struct hostent *gethostbyname_fn(const char *name);
typedef struct hostent *gethostbyname2_fn(const char *name, int family);
typedef struct hostent *gethostbyaddr_fn(const void *address, socklen_t len, int family);
typedef int gethostbyname_r_fn(const char *name, struct hostent *host, char *buffer, size_t size,
			       struct hostent **result, int *error);
typedef int gethostbyname2_r_fn(const char *name, int family, struct hostent *host, char *buffer,
				size_t size, struct hostent **result, int *error);
typedef int gethostbyaddr_r_fn(const void *address, socklen_t len, int family, struct hostent *host,
			       char *buffer, size_t size, struct hostent **result, int *error);

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

/* An answer in the caller's buffer: 0, or ERANGE where it is too small. */
static int give(const struct question *question, struct hostent *host, char *buffer, size_t size,
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

static enum question_answer ask_by_name(struct question *question, const char *name, int family)
{
	if (!name || (family != AF_INET && family != AF_INET6) || !ask_is_name(name))
		return QUESTION_NOT_OURS;
	enum question_answer answer = ask_resolve(question, name, family == AF_INET ? 4 : 6, 0);
	memcpy(question->name, name, strlen(name) + 1);
	return answer;
}

static enum question_answer ask_by_address(struct question *question, const void *address,
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

static struct hostent *give_static(const struct question *question)
{
	fill(&static_host, &static_record, question);
	return &static_host;
}

static struct hostent *fail(int error)
{
	h_errno = error;
	return NULL;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
	static struct next self = {"gethostbyname", NULL};
	gethostbyname_fn *next = (gethostbyname_fn *)next_find(&self);
	struct question question;
	switch (ask_by_name(&question, name, AF_INET)) {
	case QUESTION_OURS:
		return give_static(&question);
	case QUESTION_NO_FAMILY:
		return fail(NO_DATA);
	default:
		return next ? next(name) : fail(NO_RECOVERY);
	}
}

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	static struct next self = {"gethostbyname2", NULL};
	gethostbyname2_fn *next = (gethostbyname2_fn *)next_find(&self);
	struct question question;
	switch (ask_by_name(&question, name, family)) {
	case QUESTION_OURS:
		return give_static(&question);
	case QUESTION_NO_FAMILY:
		return fail(NO_DATA);
	default:
		return next ? next(name, family) : fail(NO_RECOVERY);
	}
}

EXPORT struct hostent *gethostbyaddr(const void *address, socklen_t len, int family)
{
	static struct next self = {"gethostbyaddr", NULL};
	gethostbyaddr_fn *next = (gethostbyaddr_fn *)next_find(&self);
	struct question question;
	if (ask_by_address(&question, address, len, family) == QUESTION_OURS)
		return give_static(&question);
	return next ? next(address, len, family) : fail(NO_RECOVERY);
}

/* As libc's: a name that is not there is no error of the call. */
static int fail_r(int error_wanted, struct hostent **result, int *error)
{
	*result = NULL;
	*error = error_wanted;
	return 0;
}

EXPORT int gethostbyname_r(const char *restrict name, struct hostent *restrict host,
			   char *restrict buffer, size_t size, struct hostent **restrict result,
			   int *restrict error)
{
	static struct next self = {"gethostbyname_r", NULL};
	gethostbyname_r_fn *next = (gethostbyname_r_fn *)next_find(&self);
	struct question question;
	switch (ask_by_name(&question, name, AF_INET)) {
	case QUESTION_OURS:
		return give(&question, host, buffer, size, result, error);
	case QUESTION_NO_FAMILY:
		return fail_r(NO_DATA, result, error);
	default:
		return next ? next(name, host, buffer, size, result, error)
			    : fail_r(NO_RECOVERY, result, error);
	}
}

EXPORT int gethostbyname2_r(const char *restrict name, int family, struct hostent *restrict host,
			    char *restrict buffer, size_t size, struct hostent **restrict result,
			    int *restrict error)
{
	static struct next self = {"gethostbyname2_r", NULL};
	gethostbyname2_r_fn *next = (gethostbyname2_r_fn *)next_find(&self);
	struct question question;
	switch (ask_by_name(&question, name, family)) {
	case QUESTION_OURS:
		return give(&question, host, buffer, size, result, error);
	case QUESTION_NO_FAMILY:
		return fail_r(NO_DATA, result, error);
	default:
		return next ? next(name, family, host, buffer, size, result, error)
			    : fail_r(NO_RECOVERY, result, error);
	}
}

EXPORT int gethostbyaddr_r(const void *restrict address, socklen_t len, int family,
			   struct hostent *restrict host, char *restrict buffer, size_t size,
			   struct hostent **restrict result, int *restrict error)
{
	static struct next self = {"gethostbyaddr_r", NULL};
	gethostbyaddr_r_fn *next = (gethostbyaddr_r_fn *)next_find(&self);
	struct question question;
	if (ask_by_address(&question, address, len, family) == QUESTION_OURS)
		return give(&question, host, buffer, size, result, error);
	return next ? next(address, len, family, host, buffer, size, result, error)
		    : fail_r(NO_RECOVERY, result, error);
}
