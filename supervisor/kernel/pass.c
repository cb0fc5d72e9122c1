#include "supervisor/kernel/pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

int pass_send(int socket, const void *data, size_t len, int fd)
{
	struct iovec iov = {(void *)(size_t)data, len};
	union control control = {0};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive(int socket, void *data, size_t len, int *fd, int flags)
{
	struct iovec iov = {data, len};
	union control control = {0};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 /* room for one, not for the padding that a second would fit */
				 .msg_controllen = CMSG_LEN(sizeof(int))};
	*fd = -1;
	ssize_t got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return -errno;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : (int)got;
}

int pass_receive(int socket, void *data, size_t len, int *fd)
{
	return receive(socket, data, len, fd, 0);
}

int pass_peek(int socket, void *data, size_t len, int *fd)
{
	return receive(socket, data, len, fd, MSG_PEEK);
}

void pass_drop(int socket)
{
	while (recv(socket, NULL, 0, MSG_TRUNC) < 0 && errno == EINTR)
		;
}
