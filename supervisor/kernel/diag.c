#include "supervisor/kernel/diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "supervisor/base/fd.h"

static int ask(int fd, uint8_t family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 wanted;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.wanted = {.sdiag_family = family,
			   .sdiag_protocol = IPPROTO_TCP,
			   .idiag_states = 1U << TCP_LISTEN},
	};
	return send(fd, &message, sizeof(message), 0) < 0 ? -errno : 0;
}

static bool matches(const struct nlmsghdr *header, diag_match *match, void *context)
{
	const struct inet_diag_msg *found = NLMSG_DATA(header);
	uint64_t cookie = (uint64_t)found->id.idiag_cookie[1] << 32 | found->id.idiag_cookie[0];
	return match(context, ntohs(found->id.idiag_sport), cookie);
}

/* As NLMSG_NEXT does, whose cast says nothing of alignment. */
static struct nlmsghdr *next_message(struct nlmsghdr *header, ssize_t *left)
{
	size_t size = NLMSG_ALIGN(header->nlmsg_len);
	*left -= (ssize_t)size;
	return (void *)((char *)header + size);
}

static int read_family(int fd, diag_match *match, void *context)
{
	union {
		struct nlmsghdr header;
		char bytes[16384];
	} answer;
	for (;;) {
		/* the kernel has made it before ask() returned, or makes it now */
		ssize_t got = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		for (struct nlmsghdr *header = &answer.header; NLMSG_OK(header, got);
		     header = next_message(header, &got)) {
			if (header->nlmsg_type == NLMSG_DONE)
				return 0;
			if (header->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
			if (matches(header, match, context))
				return 1;
		}
	}
}

int diag_find_listener(diag_match *match, void *context)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	int found = 0;
	for (int i = 0; found == 0 && i < 2; i++) {
		cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		found = fd < 0 ? -errno : ask(fd, families[i]);
		if (found == 0)
			found = read_family(fd, match, context);
	}
	return found;
}
