#include "supervisor/process/attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/kernel/pass.h"
#include "supervisor/tunnel/tunnel.h"

#define REPLY_SECONDS 5

static bool of_same_user(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

int attach_open(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = REPLY_SECONDS};
	if (snprintf(to.sun_path, sizeof(to.sun_path), "%s", path) >= (int)sizeof(to.sun_path))
		return -ENAMETOOLONG;
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	if (!of_same_user(fd))
		return -EPERM;
	return steal_fd(&fd);
}

/* Send a message whose header is filled in here, and wait for its answer: how long that is, or
 * -errno. */
static int ask_for(int channel, enum control_op op, struct control_header *header, size_t size,
		   int fd, struct control_header *answer, size_t room)
{
	static uint16_t serial;
	int none, got;
	*header = (struct control_header){CONTROL_VERSION, (uint8_t)op, ++serial, (uint32_t)size};
	int err = pass_send(channel, header, size, fd);
	if (err < 0)
		return err;
	do { /* the reply to an earlier question may come twice */
		got = pass_receive(channel, answer, room, &none);
		fd_cleanup(&none);
	} while (got >= (int)sizeof(*answer) && answer->serial != serial);
	return got == -EAGAIN ? -ETIMEDOUT : got;
}

/* The same for what is answered by a reply. */
static int ask(int channel, enum control_op op, struct control_header *header, size_t size, int fd)
{
	struct control_reply reply;
	int got = ask_for(channel, op, header, size, fd, &reply.header, sizeof(reply));
	if (got < 0)
		return got;
	if (got != sizeof(reply) || reply.header.op != CONTROL_REPLY)
		return -EPROTO;
	return -reply.error;
}

int attach_tunnel(int channel, struct control_tunnel *message)
{
	return ask(channel, CONTROL_TUNNEL, &message->header, sizeof(*message), -1);
}

int attach_folder(int channel, const char *id, char folder[CONTROL_PATH_MAX])
{
	for (uint32_t i = 0;; i++) {
		struct control_listed question = {.index = i}, listed;
		int got = ask_for(channel, CONTROL_LISTED, &question.header, sizeof(question), -1,
				  &listed.header, sizeof(listed));
		if (got != sizeof(listed) || listed.header.op != CONTROL_LISTED)
			return got < 0 ? got : -ENOENT;
		listed.id[UUID_TEXT] = listed.base[sizeof(listed.base) - 1] = '\0';
		if (!listed.initiates || strcmp(listed.id, id) != 0)
			continue;
		strcpy(folder, listed.base);
		return 0;
	}
}

void attach_describe(const struct state *state, uint32_t tunnel, struct control_tunnel *message)
{
	*message = (struct control_tunnel){0};
	snprintf(message->id, sizeof(message->id), "%s", state->tunnels[tunnel].id);
	snprintf(message->base, sizeof(message->base), "%s", state->lookups[tunnel].base);
	memcpy(message->ports, state->tunnels[tunnel].ports, sizeof(message->ports));
	tunnel_view(state, tunnel, &message->view);
}

int attach_tunnels(int channel, const struct state *state)
{
	int err = 0;
	for (uint32_t i = 0; err == 0 && i < state->tunnel_count; i++) {
		struct control_tunnel message;
		attach_describe(state, i, &message);
		err = attach_tunnel(channel, &message);
		explicit_bzero(&message, sizeof(message));
	}
	return err;
}

int attach_program(int channel, int notify_fd, pid_t command, uint32_t flags)
{
	struct control_attach message = {.pid = command, .flags = flags};
	return ask(channel, CONTROL_ATTACH, &message.header, sizeof(message), notify_fd);
}

int attach_guest(int channel, int notify_fd, pid_t command, uint32_t flags)
{
	struct control_attach message = {.pid = command, .flags = flags};
	return ask(channel, CONTROL_GUEST, &message.header, sizeof(message), notify_fd);
}
