/*
 * The shim's functions when a supervisor answers. This program has the shim in it and stands in for
 * the kernel: the question is a system call, and syscall() is here. What the functions do when
 * nobody answers is in tests/programs/programs/test_shim.py.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/control.h"
#include "tests/unit/suite.h"

#define IPV4_NAME   "globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fb"
#define IPV4_TEXT   "198.18.7.9"
#define IPV6_NAME   "six.example"
#define IPV6_TEXT   "fd47:5347:4c53::7:9"
#define MAPPED_TEXT "::ffff:" IPV4_TEXT
#define MAPPED_NAME "demo.example" /* with port 443 only */
#define MAPPED_PORT 443

static int asked;            /* questions so far */
static struct question last; /* as it was asked */
static int interruptions;    /* how many more times the call is interrupted */
static int malformed;        /* what is wrong with the answer */
static char longest[256];

static void answer(struct question *question, uint8_t family, const char *address)
{
	question->answer =
		question->family && question->family != family ? QUESTION_NO_FAMILY : QUESTION_OURS;
	question->family = family;
	inet_pton(family == 4 ? AF_INET : AF_INET6, address, question->address);
}

static void resolve(struct question *question)
{
	if (!strcmp(question->name, IPV4_NAME) || !strcmp(question->name, longest))
		answer(question, 4, IPV4_TEXT);
	else if (!strcmp(question->name, IPV6_NAME))
		answer(question, 6, IPV6_TEXT);
	else if (!strcmp(question->name, MAPPED_NAME) &&
		 (question->port == 0 || question->port == MAPPED_PORT))
		answer(question, 4, IPV4_TEXT);
}

static void reverse(struct question *question)
{
	char text[INET6_ADDRSTRLEN];
	inet_ntop(question->family == 4 ? AF_INET : AF_INET6, question->address, text,
		  sizeof(text));
	const char *name = !strcmp(text, IPV4_TEXT) || !strcmp(text, MAPPED_TEXT) ? IPV4_NAME
			   : !strcmp(text, IPV6_TEXT)                             ? IPV6_NAME
										  : NULL;
	if (!name)
		return;
	question->answer = QUESTION_OURS;
	strcpy(question->name, name);
}

static void spoil(struct question *question)
{
	question->magic += malformed == 1;
	question->version += malformed == 2;
	question->size -= malformed == 3;
	if (malformed == 4)
		question->family = 5;
	if (malformed == 5)
		memset(question->name, 'x', sizeof(question->name));
	if (malformed == 6)
		question->answer = 77;
}

/* The call that the filter would hand to the supervisor; nothing else in this program uses it. */
long syscall(long number, ...)
{
	va_list arguments;
	va_start(arguments, number);
	int fd = va_arg(arguments, int);
	struct question *question = va_arg(arguments, struct question *);
	va_end(arguments);
	if (fd == AT_FDCWD) { /* nsswitch.conf, before any test: leave libc alone */
		errno = EACCES;
		return -1;
	}
	ck_assert_int_eq(number, SYS_openat);
	ck_assert_int_eq(fd, QUESTION_FD);
	if (!strcmp((const char *)question,
		    "/etc/hosts")) { /* an older libc's own opens pass by us */
		errno = EBADF;
		return -1;
	}
	ck_assert_uint_eq(question->magic, QUESTION_MAGIC);
	ck_assert_uint_eq(question->version, CONTROL_VERSION);
	ck_assert_uint_eq(question->size, sizeof(*question));
	if (interruptions) {
		interruptions--;
		errno = EINTR;
		return -1;
	}
	asked++;
	last = *question;
	question->answer = QUESTION_NOT_OURS;
	if (question->op == QUESTION_RESOLVE)
		resolve(question);
	else
		reverse(question);
	spoil(question);
	errno = EXDEV; /* as if something else had failed: it must not be seen */
	return 0;
}

static void set_up(void)
{
	memset(longest, 'a', sizeof(longest) - 1);
	asked = 0;
	interruptions = 0;
	malformed = 0;
	errno = 0;
	h_errno = 0;
}

/* --- getaddrinfo() --- */

static struct addrinfo hints_of(int family, int flags)
{
	return (struct addrinfo){
		.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
}

static void expect_address(const struct addrinfo *entry, const char *address, const char *port)
{
	char host[NI_MAXHOST], service[NI_MAXSERV];
	ck_assert_int_eq(getnameinfo(entry->ai_addr, entry->ai_addrlen, host, sizeof(host), service,
				     sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV),
			 0);
	ck_assert_str_eq(host, address);
	ck_assert_str_eq(service, port);
}

START_TEST(addrinfo_ours)
{
	static const struct {
		const char *name, *address;
		int family, flags;
	} cases[] = {
		{IPV4_NAME, IPV4_TEXT, AF_UNSPEC, 0},
		{IPV4_NAME, IPV4_TEXT, AF_INET, 0},
		{IPV4_NAME, IPV4_TEXT, AF_UNSPEC, AI_ADDRCONFIG},
		{IPV4_NAME, IPV4_TEXT, AF_INET, AI_ADDRCONFIG},
		{IPV4_NAME, IPV4_TEXT, AF_INET, AI_CANONNAME},
		{IPV4_NAME, MAPPED_TEXT, AF_INET6, AI_V4MAPPED | AI_CANONNAME},
		{IPV6_NAME, IPV6_TEXT, AF_UNSPEC, 0},
		{IPV6_NAME, IPV6_TEXT, AF_INET6, AI_CANONNAME},
		{IPV6_NAME, IPV6_TEXT, AF_INET6, AI_V4MAPPED | AI_ADDRCONFIG},
		{longest, IPV4_TEXT, AF_UNSPEC, AI_CANONNAME},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addrinfo hints = hints_of(cases[i].family, cases[i].flags), *list;
		ck_assert_int_eq(getaddrinfo(cases[i].name, "80", &hints, &list), 0);
		expect_address(list, cases[i].address, "80");
		ck_assert_ptr_null(list->ai_next);
		ck_assert_int_eq(list->ai_socktype, SOCK_STREAM);
		ck_assert_int_eq(list->ai_flags, cases[i].flags);
		if (cases[i].flags & AI_CANONNAME)
			ck_assert_str_eq(list->ai_canonname, cases[i].name);
		else
			ck_assert_ptr_null(list->ai_canonname);
		freeaddrinfo(list);
		ck_assert_uint_eq(last.port, 80);
	}
	ck_assert_int_eq(asked, COUNT(cases));
}
END_TEST

START_TEST(addrinfo_without_hints)
{
	struct addrinfo *list;
	int entries = 0;
	ck_assert_int_eq(getaddrinfo(IPV4_NAME, NULL, NULL, &list), 0);
	for (struct addrinfo *entry = list; entry; entry = entry->ai_next, entries++) {
		expect_address(entry, IPV4_TEXT, "0");
		ck_assert_int_eq(entry->ai_flags, AI_V4MAPPED | AI_ADDRCONFIG);
	}
	ck_assert_int_eq(entries, 3); /* TCP, UDP and raw, as libc does */
	freeaddrinfo(list);
	ck_assert_uint_eq(last.port, 0);
}
END_TEST

START_TEST(addrinfo_service)
{
	struct addrinfo hints = hints_of(AF_UNSPEC, 0), *list;
	ck_assert_int_eq(getaddrinfo(MAPPED_NAME, "https", &hints, &list), 0);
	expect_address(list, IPV4_TEXT, "443");
	freeaddrinfo(list);
	ck_assert_int_eq(asked, 2);
	ck_assert_uint_eq(last.port, 443);

	/* another service of that name, by name and by number, is libc's, to whom it is unknown */
	ck_assert_int_ne(getaddrinfo(MAPPED_NAME, "ssh", &hints, &list), 0);
	ck_assert_uint_eq(last.port, 22);
	ck_assert_int_ne(getaddrinfo(MAPPED_NAME, "8080", &hints, &list), 0);
	ck_assert_uint_eq(last.port, 8080);
	ck_assert_int_eq(getaddrinfo(MAPPED_NAME, "no-such-service", &hints, &list), EAI_SERVICE);
	hints.ai_flags = AI_NUMERICSERV;
	ck_assert_int_eq(getaddrinfo(MAPPED_NAME, "https", &hints, &list), EAI_NONAME);
}
END_TEST

/* A name of ours has no address of another family; and libc judges what the caller gave. */
START_TEST(addrinfo_errors)
{
	static const struct {
		const char *name;
		int family, flags, protocol, error;
	} cases[] = {
		{IPV4_NAME, AF_INET6, 0, 0, EAI_NONAME},
		{IPV6_NAME, AF_INET, AI_V4MAPPED, 0, EAI_NONAME},
		{IPV4_NAME, AF_UNSPEC, 0x8000, 0, EAI_BADFLAGS},
		{IPV4_NAME, AF_UNSPEC, 0, IPPROTO_UDP, EAI_SOCKTYPE},
		{IPV4_NAME, AF_UNIX, 0, 0, EAI_FAMILY},
		{IPV4_NAME, AF_UNSPEC, AI_NUMERICHOST, 0, EAI_NONAME},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addrinfo hints = hints_of(cases[i].family, cases[i].flags), *list;
		hints.ai_protocol = cases[i].protocol;
		ck_assert_int_eq(getaddrinfo(cases[i].name, "80", &hints, &list), cases[i].error);
	}
}
END_TEST

/* Nobody is asked about what cannot be a name of ours. */
START_TEST(addrinfo_not_asked)
{
	static const char *const names[] = {"127.0.0.1", "127.1",     "0x7f000001",
					    "::1",       "fe80::1%1", "2001:db8::1"};
	char too_long[sizeof(longest) + 1];
	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	struct addrinfo hints = hints_of(AF_UNSPEC, 0), *list;
	for (size_t i = 0; i < COUNT(names); i++) {
		ck_assert_int_eq(getaddrinfo(names[i], "80", &hints, &list), 0);
		freeaddrinfo(list);
	}
	ck_assert_int_eq(getaddrinfo(NULL, "80", &hints, &list), 0);
	freeaddrinfo(list);
	ck_assert_int_ne(getaddrinfo("", "80", &hints, &list), 0);
	ck_assert_int_ne(getaddrinfo(too_long, "80", &hints, &list), 0);
	ck_assert_int_eq(asked, 0);
}
END_TEST

START_TEST(addrinfo_libc_name)
{
	struct addrinfo hints = hints_of(AF_INET, 0), *list;
	ck_assert_int_eq(getaddrinfo("localhost", "80", &hints, &list), 0);
	expect_address(list, "127.0.0.1", "80");
	freeaddrinfo(list);
	ck_assert_int_eq(asked, 1);
}
END_TEST

START_TEST(interrupted)
{
	struct addrinfo hints = hints_of(AF_INET, 0), *list;
	interruptions = 3;
	ck_assert_int_eq(getaddrinfo(IPV4_NAME, "80", &hints, &list), 0);
	freeaddrinfo(list);
	ck_assert_int_eq(interruptions, 0);
	ck_assert_int_eq(errno, 0);
}
END_TEST

/* An answer that is not sound is no answer. */
START_TEST(malformed_answer)
{
	struct addrinfo hints = hints_of(AF_INET, 0), *list;
	malformed = _i;
	ck_assert_int_ne(getaddrinfo(IPV4_NAME, "80", &hints, &list), 0);
	ck_assert_ptr_null(gethostbyname(IPV4_NAME));
}
END_TEST

/* --- gethostbyname() and its variants --- */

static void expect_host(const struct hostent *host, const char *name, const char *address)
{
	char text[INET6_ADDRSTRLEN];
	ck_assert_ptr_nonnull(host);
	ck_assert_str_eq(host->h_name, name);
	ck_assert_ptr_null(host->h_aliases[0]);
	ck_assert_int_eq(host->h_addrtype, strchr(address, ':') ? AF_INET6 : AF_INET);
	ck_assert_int_eq(host->h_length, strchr(address, ':') ? 16 : 4);
	inet_ntop(host->h_addrtype, host->h_addr_list[0], text, sizeof(text));
	ck_assert_str_eq(text, address);
	ck_assert_ptr_null(host->h_addr_list[1]);
}

START_TEST(host_by_name)
{
	expect_host(gethostbyname(IPV4_NAME), IPV4_NAME, IPV4_TEXT);
	ck_assert_uint_eq(last.port, 0);
	expect_host(gethostbyname2(IPV4_NAME, AF_INET), IPV4_NAME, IPV4_TEXT);
	expect_host(gethostbyname2(IPV6_NAME, AF_INET6), IPV6_NAME, IPV6_TEXT);
	expect_host(gethostbyname(longest), longest, IPV4_TEXT);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(h_errno, 0);
	ck_assert_ptr_null(gethostbyname(IPV6_NAME));
	ck_assert_int_eq(h_errno, NO_DATA);
	h_errno = 0;
	ck_assert_ptr_null(gethostbyname2(IPV4_NAME, AF_INET6));
	ck_assert_int_eq(h_errno, NO_DATA);
	int before = asked;
	expect_host(gethostbyname("127.0.0.1"), "127.0.0.1", "127.0.0.1");
	ck_assert_int_eq(asked, before);
}
END_TEST

START_TEST(host_by_name_r)
{
	char buffer[512];
	struct hostent host, *result;
	int error = -7;
	for (size_t skew = 0; skew < 2 * sizeof(void *); skew++) {
		ck_assert_int_eq(gethostbyname_r(IPV4_NAME, &host, buffer + skew,
						 sizeof(buffer) - skew, &result, &error),
				 0);
		ck_assert_ptr_eq(result, &host);
		ck_assert_int_eq(error, NETDB_SUCCESS);
		expect_host(result, IPV4_NAME, IPV4_TEXT);
	}
	ck_assert_int_eq(gethostbyname2_r(IPV6_NAME, AF_INET6, &host, buffer, sizeof(buffer),
					  &result, &error),
			 0);
	expect_host(result, IPV6_NAME, IPV6_TEXT);
	ck_assert_int_eq(gethostbyname_r(IPV6_NAME, &host, buffer, sizeof(buffer), &result, &error),
			 0);
	ck_assert_ptr_null(result);
	ck_assert_int_eq(error, NO_DATA);
	ck_assert_int_eq(errno, 0);
}
END_TEST

/* Every size of buffer: too small is said, and what is outside is not written to. */
START_TEST(host_buffer_sizes)
{
	struct hostent host, *result;
	size_t taken = 0;
	for (size_t size = 0; size <= 256; size++) {
		char buffer[256 + 1];
		int error = 0;
		memset(buffer, '#', sizeof(buffer));
		int rc = gethostbyname_r(IPV4_NAME, &host, buffer, size, &result, &error);
		ck_assert_int_eq(buffer[size], '#');
		if (rc == 0) {
			expect_host(result, IPV4_NAME, IPV4_TEXT);
			taken++;
			continue;
		}
		ck_assert_int_eq(rc, ERANGE);
		ck_assert_int_eq(errno, ERANGE);
		ck_assert_int_eq(error, NETDB_INTERNAL);
		ck_assert_ptr_null(result);
		ck_assert_uint_eq(taken, 0);
	}
	ck_assert_uint_gt(taken, 0);
}
END_TEST

/* --- the way back --- */

START_TEST(host_by_address)
{
	struct in_addr ipv4, other;
	struct in6_addr ipv6, mapped;
	char buffer[512];
	struct hostent host, *result;
	int error;
	inet_pton(AF_INET, IPV4_TEXT, &ipv4);
	inet_pton(AF_INET6, IPV6_TEXT, &ipv6);
	inet_pton(AF_INET6, MAPPED_TEXT, &mapped);
	inet_pton(AF_INET, "127.0.0.1", &other);
	expect_host(gethostbyaddr(&ipv4, sizeof(ipv4), AF_INET), IPV4_NAME, IPV4_TEXT);
	expect_host(gethostbyaddr(&ipv6, sizeof(ipv6), AF_INET6), IPV6_NAME, IPV6_TEXT);
	expect_host(gethostbyaddr(&mapped, sizeof(mapped), AF_INET6), IPV4_NAME, MAPPED_TEXT);
	ck_assert_int_eq(gethostbyaddr_r(&ipv4, sizeof(ipv4), AF_INET, &host, buffer,
					 sizeof(buffer), &result, &error),
			 0);
	expect_host(result, IPV4_NAME, IPV4_TEXT);
	ck_assert_int_eq(
		gethostbyaddr_r(&ipv4, sizeof(ipv4), AF_INET, &host, buffer, 8, &result, &error),
		ERANGE);
	ck_assert_int_eq(asked, 5);
	gethostbyaddr(&other, sizeof(other), AF_INET);
	gethostbyaddr(&ipv4, 1, AF_INET);
	ck_assert_int_eq(asked, 5);
}
END_TEST

static socklen_t address_of(const char *text, struct sockaddr_storage *address)
{
	struct addrinfo hints = hints_of(AF_UNSPEC, AI_NUMERICHOST), *list;
	ck_assert_int_eq(getaddrinfo(text, "443", &hints, &list), 0);
	socklen_t len = list->ai_addrlen;
	memcpy(address, list->ai_addr, len);
	freeaddrinfo(list);
	return len;
}

static int name_of(const char *text, char host[NI_MAXHOST], socklen_t size, char *service,
		   int flags)
{
	struct sockaddr_storage address;
	socklen_t len = address_of(text, &address);
	return getnameinfo((struct sockaddr *)&address, len, host, size, service,
			   service ? NI_MAXSERV : 0, flags);
}

START_TEST(name_info)
{
	char host[NI_MAXHOST], service[NI_MAXSERV];
	ck_assert_int_eq(name_of(IPV4_TEXT, host, sizeof(host), service, 0), 0);
	ck_assert_str_eq(host, IPV4_NAME);
	ck_assert_str_eq(service, "https");
	ck_assert_int_eq(
		name_of(IPV6_TEXT, host, sizeof(host), service, NI_NAMEREQD | NI_NUMERICSERV), 0);
	ck_assert_str_eq(host, IPV6_NAME);
	ck_assert_str_eq(service, "443");
	ck_assert_int_eq(name_of(MAPPED_TEXT, host, sizeof(host), NULL, NI_NAMEREQD), 0);
	ck_assert_str_eq(host, IPV4_NAME);
	ck_assert_int_eq(asked, 3);
	ck_assert_int_eq(name_of(IPV4_TEXT, host, sizeof(host), NULL, NI_NUMERICHOST), 0);
	ck_assert_str_eq(host, IPV4_TEXT);
	ck_assert_int_eq(asked, 3);
}
END_TEST

START_TEST(name_info_errors)
{
	char host[NI_MAXHOST], service[NI_MAXSERV];
	ck_assert_int_eq(name_of(IPV4_TEXT, host, 5, service, 0), EAI_OVERFLOW);
	ck_assert_int_eq(name_of(IPV4_TEXT, host, sizeof(IPV4_NAME) - 1, NULL, 0), EAI_OVERFLOW);
	ck_assert_int_eq(name_of(IPV4_TEXT, host, sizeof(IPV4_NAME), NULL, 0), 0);
	ck_assert_int_eq(name_of(IPV4_TEXT, host, sizeof(host), NULL, 0x4000), EAI_BADFLAGS);
	ck_assert_int_eq(getnameinfo(NULL, 0, host, sizeof(host), NULL, 0, 0), EAI_FAMILY);
}
END_TEST

/* An address in our range that no name has, and one outside it. */
START_TEST(name_info_of_others)
{
	char host[NI_MAXHOST];
	ck_assert_int_eq(name_of("127.0.0.1", host, sizeof(host), NULL, 0), 0);
	ck_assert_int_eq(name_of("198.17.255.255", host, sizeof(host), NULL, 0), 0);
	ck_assert_int_eq(name_of("198.20.0.0", host, sizeof(host), NULL, 0), 0);
	ck_assert_int_eq(asked, 0);
	ck_assert_int_eq(name_of("198.19.255.255", host, sizeof(host), NULL, 0), 0);
	ck_assert_str_eq(host, "198.19.255.255");
	ck_assert_int_eq(asked, 1);
	ck_assert_int_eq(name_of("198.18.0.0", host, sizeof(host), NULL, NI_NAMEREQD), EAI_NONAME);
	ck_assert_int_eq(asked, 2);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("shim");
	TCase *addrinfo = add_case(suite, "addrinfo", set_up, NULL);
	TCase *hosts = add_case(suite, "hosts", set_up, NULL);
	TCase *back = add_case(suite, "back", set_up, NULL);
	tcase_set_timeout(addrinfo, 60); /* libc may ask a name server for what is not ours */
	tcase_set_timeout(hosts, 60);
	tcase_set_timeout(back, 60);
	tcase_add_test(addrinfo, addrinfo_ours);
	tcase_add_test(addrinfo, addrinfo_without_hints);
	tcase_add_test(addrinfo, addrinfo_service);
	tcase_add_test(addrinfo, addrinfo_errors);
	tcase_add_test(addrinfo, addrinfo_not_asked);
	tcase_add_test(addrinfo, addrinfo_libc_name);
	tcase_add_test(addrinfo, interrupted);
	tcase_add_loop_test(addrinfo, malformed_answer, 1, 7);
	tcase_add_test(hosts, host_by_name);
	tcase_add_test(hosts, host_by_name_r);
	tcase_add_test(hosts, host_buffer_sizes);
	tcase_add_test(back, host_by_address);
	tcase_add_test(back, name_info);
	tcase_add_test(back, name_info_errors);
	tcase_add_test(back, name_info_of_others);
	return suite;
}
