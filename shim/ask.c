#include "shim/ask.h"
#include "shim/next.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

/* "globus.", and a UUID */
static bool is_tunnels(const char *name)
{
	static const char like[] = "globus.xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i = 0;
	for (; i < sizeof(like) - 1; i++) {
		bool digit = (name[i] >= '0' && name[i] <= '9') ||
			     ((name[i] | ' ') >= 'a' && (name[i] | ' ') <= 'f');
		if (like[i] == 'x' ? !digit : name[i] != like[i])
			return false;
	}
	return !name[i];
}

/* The shim was loaded where nobody watches: LD_PRELOAD was handed on to where the filter was not,
 * as srun, ssh and a running tmux do. Said once in a process, and never into a socket that has the
 * number of stderr. */
static void say_outside(const char *name)
{
	static const char start[] = "globus-streams: cannot resolve ",
			  rest[] = ": this program does not run under globus-streams-run, though "
				   "LD_PRELOAD was handed "
				   "on to it; put globus-streams-run in front of it where it runs: "
				   "after srun, ssh or "
				   "docker run, and inside tmux\n";
	static atomic_flag said = ATOMIC_FLAG_INIT;
	struct iovec parts[] = {{(void *)start, sizeof(start) - 1},
				{(void *)name, strlen(name)},
				{(void *)rest, sizeof(rest) - 1}};
	int type;
	socklen_t len = sizeof(type);
	if (!atomic_flag_test_and_set(&said) &&
	    syscall(SYS_getsockopt, STDERR_FILENO, SOL_SOCKET, SO_TYPE, &type, &len) < 0 &&
	    errno == ENOTSOCK)
		syscall(SYS_writev, STDERR_FILENO, parts, sizeof(parts) / sizeof(*parts));
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
	if (rc < 0 && errno == EBADF && op == QUESTION_RESOLVE && is_tunnels(question->name))
		say_outside(question->name);
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
