#include "shim/ask.h"
#include "shim/next.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread int ask_was_asked;

bool ask_is_name(const char *name)
{
	struct in_addr number;
	size_t len = strnlen(name, sizeof(((struct question *)0)->name));
	return len > 0 && len < sizeof(((struct question *)0)->name) && !strchr(name, ':') &&
	       !inet_aton(name, &number);
}

/* 198.18.0.0/15, RFC 2544 */
bool ask_is_ipv4(struct in_addr address)
{
	return (ntohl(address.s_addr) & 0xfffe0000) == 0xc6120000;
}

/* fd47:5347:4c53::/48, RFC 4193, or an address of ours that is mapped into IPv6 */
bool ask_is_ipv6(const struct in6_addr *address)
{
	static const uint8_t prefix[] = {0xfd, 0x47, 0x53, 0x47, 0x4c, 0x53};
	struct in_addr mapped;
	memcpy(&mapped, address->s6_addr + 12, sizeof(mapped));
	return !memcmp(address->s6_addr, prefix, sizeof(prefix)) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && ask_is_ipv4(mapped));
}

static bool is_sound(const struct question *question, uint8_t family)
{
	return question->magic == QUESTION_MAGIC && question->version == CONTROL_VERSION &&
	       question->size == sizeof(*question) &&
	       (question->family == 4 || question->family == 6) &&
	       (!family || question->family == family) &&
	       memchr(question->name, '\0', sizeof(question->name));
}

static enum question_answer ask(struct question *question, uint8_t op, uint8_t family,
				uint16_t port)
{
	question->magic = QUESTION_MAGIC;
	question->version = CONTROL_VERSION;
	question->op = op;
	question->family = family;
	question->port = port;
	question->size = sizeof(*question);
	int saved = errno;
	/* Not openat(): that is another library's to wrap, and a point where a thread may end. */
	long rc;
	do
		rc = syscall(SYS_openat, QUESTION_FD, question, O_RDONLY | O_CLOEXEC, 0);
	while (rc < 0 && errno == EINTR);
	errno = saved;
	if (rc != 0)
		return QUESTION_UNANSWERED;
	if (question->answer == QUESTION_OURS && !is_sound(question, family))
		return QUESTION_UNANSWERED;
	return (enum question_answer)question->answer;
}

enum question_answer ask_resolve(struct question *question, const char *name, uint8_t family,
				 uint16_t port)
{
	memset(question, 0, sizeof(*question));
	memcpy(question->name, name, strlen(name));
	return ask(question, QUESTION_RESOLVE, family, port);
}

enum question_answer ask_reverse(struct question *question, uint8_t family, const void *address)
{
	memset(question, 0, sizeof(*question));
	memcpy(question->address, address, family == 4 ? 4 : 16);
	return ask(question, QUESTION_REVERSE, family, 0);
}
