/*
 * Look-ups that pass by the other functions here: those of code that was loaded with RTLD_DEEPBIND,
 * and libc's own, as getaddrinfo_a() makes them. glibc asks the services that /etc/nsswitch.conf
 * lists for hosts, each a library libnss_NAME.so.2. The shim has such a name (its soname), so that
 * it is found where it is loaded already, and puts itself in front of that list.
 *
 * A service knows no port. A mapped name gives our address for each of its ports: connect() to one
 * that leads to no tunnel goes where the name really leads, as with a copy of /etc/hosts.
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/answer.h"
#include "shim/ask.h"
#include "shim/next.h"

#define SERVICE   "globus_streams"
#define CONF_MAX  16384
#define HOSTS_KEY "hosts:"

/* glibc's, deprecated where it is declared: a line of nsswitch.conf without its key. */
extern int __nss_configure_lookup(const char *database, const char *services) __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* What glibc uses by default. */
static const char *usual_services(void)
{
	const char *version = gnu_get_libc_version ? gnu_get_libc_version() : "2.34";
	/* 2.35 looks into the file first */
	bool old = version[0] == '2' && version[1] == '.' &&
		   (version[3] == '\0' || version[3] == '.' || version[2] < '3' ||
		    (version[2] == '3' && version[3] < '5'));
	return old ? "dns [!UNAVAIL=return] files" : "files dns";
}

/* The whole file, or -1: it is not there, or too long. */
static long read_conf(char text[CONF_MAX])
{
	long len = 0, got = 1;
	long fd = syscall(SYS_openat, AT_FDCWD, "/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	while (got > 0 && len < CONF_MAX - 1) {
		got = syscall(SYS_read, fd, text + len, CONF_MAX - 1 - len);
		len += got > 0 ? got : 0;
	}
	syscall(SYS_close, fd);
	text[len] = '\0';
	return got == 0 ? len : -1;
}

/* The services of the last line for hosts, cut out of the text; or NULL. */
static char *find_services(char *text)
{
	char *found = NULL;
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		while (*line == ' ' || *line == '\t')
			line++;
		if (strncmp(line, HOSTS_KEY, sizeof(HOSTS_KEY) - 1) != 0)
			continue;
		found = line + sizeof(HOSTS_KEY) - 1;
		char *comment = strchr(found, '#');
		if (comment)
			*comment = '\0';
	}
	return found;
}

/* We return UNAVAIL for names of ours that have no address in the family: other services must not
 * find one. */
static void stand_first(const char *services)
{
	static const char own[] = SERVICE " [UNAVAIL=return] ";
	char line[CONF_MAX + sizeof(own)];
	size_t len = strlen(services);
	memcpy(line, own, sizeof(own) - 1);
	memcpy(line + sizeof(own) - 1, services, len + 1);
	__nss_configure_lookup("hosts", line);
}

__attribute__((constructor)) static void configure(void)
{
	if (!__nss_configure_lookup || !strchr || !strncmp || !strlen || !syscall)
		return;
	char text[CONF_MAX];
	int saved = errno;
	long len = read_conf(text);
	const char *services = len > 0 ? find_services(text) : NULL;
	if (len >= 0)
		stand_first(services ? services : usual_services());
	errno = saved;
}

/* --- the service --- */

static enum nss_status fail(int error, int error_h, enum nss_status status, int *errnop,
			    int *h_errnop)
{
	*errnop = error;
	*h_errnop = error_h;
	return status;
}

static enum nss_status give(enum question_answer answer, const struct question *question,
			    struct hostent *host, char *buffer, size_t size, int *errnop,
			    int *h_errnop)
{
	struct hostent *result;
	if (answer == QUESTION_NO_FAMILY)
		return fail(ENOENT, NO_DATA, NSS_STATUS_UNAVAIL, errnop, h_errnop);
	if (answer != QUESTION_OURS)
		return NSS_STATUS_NOTFOUND; /* what else there is to say is the next one's */
	if (answer_give(question, host, buffer, size, &result, h_errnop) == 0)
		return NSS_STATUS_SUCCESS;
	return fail(ERANGE, NETDB_INTERNAL, NSS_STATUS_TRYAGAIN, errnop, h_errnop);
}

/* By these names glibc finds them. */
EXPORT enum nss_status _nss_globus_streams_gethostbyname2_r(const char *, int, struct hostent *,
							    char *, size_t, int *, int *);
EXPORT enum nss_status _nss_globus_streams_gethostbyname_r(const char *, struct hostent *, char *,
							   size_t, int *, int *);
EXPORT enum nss_status _nss_globus_streams_gethostbyaddr_r(const void *, socklen_t, int,
							   struct hostent *, char *, size_t, int *,
							   int *);
EXPORT enum nss_status _nss_globus_streams_gethostbyname4_r(const char *, struct gaih_addrtuple **,
							    char *, size_t, int *, int *,
							    int32_t *);

enum nss_status _nss_globus_streams_gethostbyname2_r(const char *name, int family,
						     struct hostent *host, char *buffer,
						     size_t size, int *errnop, int *h_errnop)
{
	struct question question;
	if (ask_was_asked)
		return NSS_STATUS_NOTFOUND;
	enum question_answer answer = answer_by_name(&question, name, family);
	return give(answer, &question, host, buffer, size, errnop, h_errnop);
}

enum nss_status _nss_globus_streams_gethostbyname_r(const char *name, struct hostent *host,
						    char *buffer, size_t size, int *errnop,
						    int *h_errnop)
{
	return _nss_globus_streams_gethostbyname2_r(name, AF_INET, host, buffer, size, errnop,
						    h_errnop);
}

enum nss_status _nss_globus_streams_gethostbyaddr_r(const void *address, socklen_t len, int family,
						    struct hostent *host, char *buffer, size_t size,
						    int *errnop, int *h_errnop)
{
	struct question question;
	if (ask_was_asked)
		return NSS_STATUS_NOTFOUND;
	enum question_answer answer = answer_by_address(&question, address, len, family);
	return give(answer, &question, host, buffer, size, errnop, h_errnop);
}

/* As getaddrinfo() asks where any family will do. */
enum nss_status _nss_globus_streams_gethostbyname4_r(const char *name, struct gaih_addrtuple **list,
						     char *buffer, size_t size, int *errnop,
						     int *h_errnop, int32_t *ttl)
{
	struct question question;
	if (ask_was_asked || !ask_is_name(name) ||
	    ask_resolve(&question, name, 0, 0) != QUESTION_OURS)
		return NSS_STATUS_NOTFOUND;
	size_t gap = -(uintptr_t)buffer % _Alignof(struct gaih_addrtuple);
	size_t name_size = strlen(name) + 1;
	if (size < gap + sizeof(struct gaih_addrtuple) + name_size)
		return fail(ERANGE, NETDB_INTERNAL, NSS_STATUS_TRYAGAIN, errnop, h_errnop);
	struct gaih_addrtuple *made = (struct gaih_addrtuple *)(void *)(buffer + gap);
	if (!*list)
		*list = made;
	struct gaih_addrtuple *tuple = *list;
	tuple->next = NULL;
	tuple->name = memcpy((char *)(made + 1), name, name_size);
	tuple->family = question.family == 4 ? AF_INET : AF_INET6;
	memcpy(tuple->addr, question.address, sizeof(tuple->addr));
	tuple->scopeid = 0;
	return NSS_STATUS_SUCCESS;
}
