/*
 * Every name function of libc with all kinds of arguments, and what it said, errno and h_errno
 * included. The output must not depend on whether the shim is loaded.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *const names[] = {
	"localhost",    "127.0.0.1",  "127.1", "::1",
	"fe80::1%lo",   "198.18.0.1", "",      "globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fb",
	"demo.invalid", "not a name", NULL};
static const char *const services[] = {NULL, "80", "https", "no-such-service", "99999", ""};
static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
static const int flags[] = {0,           AI_CANONNAME,         AI_NUMERICHOST, AI_NUMERICSERV,
			    AI_V4MAPPED, AI_V4MAPPED | AI_ALL, AI_PASSIVE,     0x40000000};
static const char *const addresses[] = {
	"127.0.0.1", "::1", "198.18.0.1", "192.0.2.1", "fd47:5347:4c53::1", "::ffff:198.18.0.1"};
static const int name_flags[] = {0, NI_NUMERICHOST, NI_NAMEREQD, NI_NUMERICSERV, NI_DGRAM, 0x4000};

static void print_list(const struct addrinfo *list)
{
	char host[256], service[32];
	for (; list; list = list->ai_next) {
		getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof(host), service,
			    sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
		printf("  %x %d %d %d %s %s %s\n", (unsigned)list->ai_flags, list->ai_family,
		       list->ai_socktype, list->ai_protocol, host, service,
		       list->ai_canonname ? list->ai_canonname : "-");
	}
}

static void one_addrinfo(const char *name, const char *service, const struct addrinfo *hints)
{
	struct addrinfo *list = NULL;
	errno = 0;
	int rc = getaddrinfo(name, service, hints, &list);
	int error = rc == EAI_SYSTEM ? errno : 0;
	printf("getaddrinfo %s %s %d %x: %d %d\n", name ? name : "NULL", service ? service : "NULL",
	       hints ? hints->ai_family : -1, hints ? (unsigned)hints->ai_flags : 0, rc, error);
	if (rc)
		return;
	print_list(list);
	freeaddrinfo(list);
}

static void all_addrinfo(const char *name)
{
	for (size_t s = 0; s < COUNT(services); s++) {
		one_addrinfo(name, services[s], NULL);
		for (size_t f = 0; f < COUNT(families); f++)
			for (size_t i = 0; i < COUNT(flags); i++) {
				struct addrinfo hints = {.ai_family = families[f],
							 .ai_flags = flags[i],
							 .ai_socktype = SOCK_STREAM};
				one_addrinfo(name, services[s], &hints);
			}
	}
}

static void print_host(const char *what, int rc, const struct hostent *host, int error)
{
	char text[INET6_ADDRSTRLEN];
	printf("%s: %d errno %d h_errno %d\n", what, rc, errno, error);
	for (int i = 0; host && host->h_addr_list[i]; i++)
		printf("  %s %d %s\n", host->h_name, host->h_addrtype,
		       inet_ntop(host->h_addrtype, host->h_addr_list[i], text, sizeof(text)));
}

static void all_hosts(const char *name)
{
	char buffer[1024];
	struct hostent host, *result;
	int rc, error;
	errno = h_errno = 0;
	print_host("gethostbyname", 0, gethostbyname(name), h_errno);
	for (size_t f = 1; f < COUNT(families); f++) {
		errno = h_errno = 0;
		print_host("gethostbyname2", 0, gethostbyname2(name, families[f]), h_errno);
	}
	for (size_t size = 1; size <= sizeof(buffer); size *= 4) {
		errno = error = 0;
		rc = gethostbyname_r(name, &host, buffer, size, &result, &error);
		print_host("gethostbyname_r", rc, result, error);
		errno = error = 0;
		rc = gethostbyname2_r(name, AF_INET6, &host, buffer, size, &result, &error);
		print_host("gethostbyname2_r", rc, result, error);
	}
}

static void all_by_address(int family, const void *address, socklen_t len)
{
	char buffer[1024];
	struct hostent host, *result;
	int error = 0;
	errno = h_errno = 0;
	print_host("gethostbyaddr", 0, gethostbyaddr(address, len, family), h_errno);
	errno = h_errno = 0;
	print_host("gethostbyaddr short", 0, gethostbyaddr(address, 1, family), h_errno);
	errno = 0;
	int rc = gethostbyaddr_r(address, len, family, &host, buffer, sizeof(buffer), &result,
				 &error);
	print_host("gethostbyaddr_r", rc, result, error);
	errno = 0;
	rc = gethostbyaddr_r(address, len, family, &host, buffer, 8, &result, &error);
	print_host("gethostbyaddr_r small", rc, result, error);
}

static void one_name(const struct sockaddr *address, socklen_t len, socklen_t size, int flag)
{
	char host[256] = "", service[32] = "";
	errno = 0;
	int rc = getnameinfo(address, len, host, size, service, size ? sizeof(service) : 0, flag);
	int error = rc == EAI_SYSTEM ? errno : 0;
	printf("getnameinfo %x %u %u: %d %d '%s' '%s'\n", (unsigned)flag, (unsigned)len,
	       (unsigned)size, rc, error, rc ? "" : host, rc ? "" : service);
}

static void all_names(const char *text)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *list;
	if (getaddrinfo(text, "443", &hints, &list))
		return;
	printf("address %s\n", text);
	for (size_t i = 0; i < COUNT(name_flags); i++) {
		one_name(list->ai_addr, list->ai_addrlen, 256, name_flags[i]);
		one_name(list->ai_addr, list->ai_addrlen, 2, name_flags[i]);
		one_name(list->ai_addr, list->ai_addrlen, 0, name_flags[i]);
		one_name(list->ai_addr, 3, 256, name_flags[i]);
	}
	if (list->ai_family == AF_INET)
		all_by_address(AF_INET, &((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr,
			       4);
	else
		all_by_address(AF_INET6, &((struct sockaddr_in6 *)(void *)list->ai_addr)->sin6_addr,
			       16);
	freeaddrinfo(list);
}

int main(void)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		all_addrinfo(names[i]);
		if (names[i])
			all_hosts(names[i]);
	}
	for (size_t i = 0; i < COUNT(addresses); i++)
		all_names(addresses[i]);
	return 0;
}
