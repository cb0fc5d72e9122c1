#include "cli/connections/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/base/cleanup.h"

#define STATES                                                                                     \
	(1U << SOCKETS_ESTABLISHED | 1U << SOCKETS_CONNECTING | 1U << SOCKETS_FIN_SENT |           \
	 1U << SOCKETS_FIN_ACKED | 1U << SOCKETS_FIN_CAME | 1U << SOCKETS_FIN_ANSWERED |           \
	 1U << SOCKETS_FINS_CROSS)

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
			   .idiag_ext =
				   1U << (INET_DIAG_INFO - 1) | 1U << (INET_DIAG_SKMEMINFO - 1),
			   .idiag_states = STATES},
	};
	return send(fd, &message, sizeof(message), 0) < 0 ? -errno : 0;
}

static void take_end(struct sockets_end *end, uint8_t family, const __be32 *address, __be16 port)
{
	end->port = ntohs(port);
	if (family == AF_INET6) {
		memcpy(end->address, address, sizeof(end->address));
	} else {
		memset(end->address, 0, 10);
		memset(end->address + 10, 0xff, 2);
		memcpy(end->address + 12, address, 4);
	}
}

/* A FIN counts as a byte where it came, until the program has read the end of file. */
static void take_counters(struct sockets_look *look)
{
	const struct tcp_info *info = &look->info;
	bool fin = look->state == SOCKETS_FIN_CAME || look->state == SOCKETS_FIN_ANSWERED ||
		   look->state == SOCKETS_FINS_CROSS;
	look->sent = info->tcpi_bytes_sent - info->tcpi_bytes_retrans;
	if (info->tcpi_bytes_retrans > info->tcpi_bytes_sent)
		look->sent = 0;
	look->received = info->tcpi_bytes_received;
	if (fin && look->received)
		look->received--;
	if (fin && look->unread)
		look->unread--;
}

static void take_attribute(struct sockets_look *look, const struct rtattr *attribute)
{
	size_t len = RTA_PAYLOAD(attribute);
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	if (attribute->rta_type == INET_DIAG_INFO)
		memcpy(&look->info, RTA_DATA(attribute),
		       len < sizeof(look->info) ? len : sizeof(look->info));
	if (attribute->rta_type != INET_DIAG_SKMEMINFO)
		return;
	memcpy(memory, RTA_DATA(attribute), len < sizeof(memory) ? len : sizeof(memory));
	look->memory = memory[SK_MEMINFO_RMEM_ALLOC];
	look->memory_most = memory[SK_MEMINFO_RCVBUF];
	look->send_most = memory[SK_MEMINFO_SNDBUF];
}

static int take_message(struct nlmsghdr *header, sockets_take *take, void *context)
{
	const struct inet_diag_msg *found = NLMSG_DATA(header);
	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*found)))
		return -EBADMSG;
	struct sockets_look look = {
		.cookie = (uint64_t)found->id.idiag_cookie[1] << 32 | found->id.idiag_cookie[0],
		.inode = found->idiag_inode,
		.user = found->idiag_uid,
		.state = found->idiag_state,
		.unread = found->idiag_rqueue,
		.unsent = found->idiag_wqueue,
	};
	take_end(&look.here, found->idiag_family, found->id.idiag_src, found->id.idiag_sport);
	take_end(&look.peer, found->idiag_family, found->id.idiag_dst, found->id.idiag_dport);
	size_t left = header->nlmsg_len - NLMSG_LENGTH(sizeof(*found));
	const char *at = (const char *)found + NLMSG_ALIGN(sizeof(*found));
	while (left >= sizeof(struct rtattr)) {
		const struct rtattr *attribute = (const void *)at;
		size_t size = RTA_ALIGN(attribute->rta_len);
		if (attribute->rta_len < sizeof(*attribute) || attribute->rta_len > left)
			break;
		take_attribute(&look, attribute);
		at += size;
		left = left > size ? left - size : 0;
	}
	take_counters(&look);
	return take(context, &look);
}

/* As NLMSG_NEXT does, whose cast says nothing of alignment. */
static struct nlmsghdr *next_message(struct nlmsghdr *header, ssize_t *left)
{
	size_t size = NLMSG_ALIGN(header->nlmsg_len);
	*left -= (ssize_t)size;
	return (void *)((char *)header + size);
}

/* 1: the answer is whole; 0: more of it comes. */
static int take_piece(struct nlmsghdr *header, ssize_t got, sockets_take *take, void *context)
{
	for (; NLMSG_OK(header, got); header = next_message(header, &got)) {
		if (header->nlmsg_type == NLMSG_DONE)
			return 1;
		if (header->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
		int err = take_message(header, take, context);
		if (err < 0)
			return err;
	}
	return 0;
}

static union {
	struct nlmsghdr header;
	char bytes[65536];
} answer;

static int read_answer(int fd, sockets_take *take, void *context)
{
	int done = 0;
	while (!done) {
		ssize_t got = recv(fd, &answer, sizeof(answer), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		done = take_piece(&answer.header, got, take, context);
	}
	return done < 0 ? done : 0;
}

int sockets_each(sockets_take *take, void *context)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	int err = 0;
	for (int i = 0; !err && i < 2; i++) {
		cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		err = fd < 0 ? -errno : ask(fd, families[i]);
		if (!err)
			err = read_answer(fd, take, context);
	}
	return err;
}

int sockets_ends_open(void)
{
	static const int groups[] = {SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY};
	struct sockaddr_nl name = {.nl_family = AF_NETLINK};
	const int room = 4 << 20; /* the kernel gives less where it must */
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	for (int i = 0; i < 2; i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(*groups)) < 0)
			return -errno;
	return steal_fd(&fd);
}

int sockets_ends_read(int fd, sockets_take *take, void *context)
{
	for (;;) {
		ssize_t got = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		int err = take_piece(&answer.header, got, take, context);
		if (err < 0)
			return err;
	}
}

void sockets_end_format(const struct sockets_end *end, char text[SOCKETS_END_TEXT])
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr in;
	memcpy(&in, end->address, sizeof(in));
	if (IN6_IS_ADDR_V4MAPPED(&in)) {
		inet_ntop(AF_INET, end->address + 12, address, sizeof(address));
		snprintf(text, SOCKETS_END_TEXT, "%s:%u", address, end->port);
	} else {
		inet_ntop(AF_INET6, &in, address, sizeof(address));
		snprintf(text, SOCKETS_END_TEXT, "[%s]:%u", address, end->port);
	}
}
