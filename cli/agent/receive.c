#include "cli/agent/receive.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

union rights {
	struct cmsghdr header;
	char room[CMSG_SPACE(AGENT_DESCRIPTORS_MAX * sizeof(int))];
};

static int fail(int err, const char **why, const char *text)
{
	*why = text;
	return err;
}

static long long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Keep those that came with a message, all of them, so that they are closed. Whether they have all
 * come, and not too many. */
static bool keep(struct agent_received *received, struct msghdr *message)
{
	bool whole = !(message->msg_flags & MSG_CTRUNC);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (received->count < AGENT_DESCRIPTORS_MAX) {
				received->descriptors[received->count++] = fd;
				continue;
			}
			close(fd);
			whole = false;
		}
	}
	return whole;
}

/* One message: its length, 0 at the end of the stream, or -errno with *why. */
static ssize_t receive_some(struct agent_received *received, int socket, char *to, size_t room,
			    const char **why)
{
	union rights rights;
	struct iovec part = {to, room};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &rights,
				 .msg_controllen = sizeof(rights)};
	ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (got < 0)
		return fail(-errno, why, "it cannot be read");
	if (!keep(received, &message))
		return fail(-EMSGSIZE, why, "it sends too many descriptors");
	return got;
}

/* What was received belongs to the document: 1 if it ends there, else 0, or -errno. */
static int take(struct agent_received *received, struct agent_end *end, size_t got,
		const char **why)
{
	char over;
	const char *data = received->text + received->len;
	ssize_t used = agent_end_find(end, data, got, &over);
	if (used < 0)
		return fail((int)used, why, "it is not a JSON object");
	received->len += (size_t)used;
	for (size_t i = (size_t)used; i < got; i++)
		if (!strchr(" \t\r\n", data[i]) || !data[i])
			return fail(-EPROTO, why, "something follows its end");
	if (!over && received->len == AGENT_DOCUMENT_MAX)
		return fail(-EFBIG, why, "it is too large");
	return over;
}

int agent_receive(struct agent_received *received, int socket, int seconds, const char **why)
{
	const long long until = now_ms() + seconds * 1000LL;
	struct agent_end end = {0};
	*received = (struct agent_received){.text = malloc(AGENT_DOCUMENT_MAX)};
	if (!received->text)
		return fail(-ENOMEM, why, "out of memory");
	for (int over = 0; over <= 0;) {
		long long left = until - now_ms();
		struct pollfd wait = {.fd = socket, .events = POLLIN};
		if (left <= 0 || (poll(&wait, 1, (int)left) == 0))
			return fail(-ETIMEDOUT, why, "it did not end in time");
		ssize_t got = receive_some(received, socket, received->text + received->len,
					   AGENT_DOCUMENT_MAX - received->len, why);
		if (got == -EAGAIN)
			continue;
		if (got <= 0)
			return got < 0 ? (int)got : fail(-EPROTO, why, "it was cut off");
		over = take(received, &end, (size_t)got, why);
		if (over < 0)
			return over;
	}
	return 0;
}

void agent_receive_finish(struct agent_received *received)
{
	for (size_t i = 0; i < received->count; i++)
		close(received->descriptors[i]);
	free(received->text);
	*received = (struct agent_received){0};
}
