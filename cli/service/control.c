#include "cli/service/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SECONDS 15 /* an upgrade starts a program */
#define TURN_SECONDS   1

static const char *socket_path(const char *given, char *room, size_t size)
{
	if (!given)
		given = getenv("GLOBUS_STREAMS_SUPERVISOR");
	if (given && *given)
		return given;
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (runtime && *runtime)
		snprintf(room, size, "%s/globus-streams/supervisor", runtime);
	else
		snprintf(room, size, "/run/user/%u/globus-streams/supervisor", (unsigned)geteuid());
	return room;
}

static int of_same_user(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

int control_open(struct cli *cli, const char *given)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const struct timeval limit = {.tv_sec = ANSWER_SECONDS}, turn = {.tv_sec = TURN_SECONDS};
	char room[512];
	const char *path = socket_path(given, room, sizeof(room));
	if (snprintf(to.sun_path, sizeof(to.sun_path), "%s", path) >= (int)sizeof(to.sun_path))
		return failure_set(
			&cli->failure, STATUS_USAGE,
			"%s is too long for the path of a socket, which has at most %zu bytes",
			path, sizeof(to.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	/* connect() blocks while the queue of connections is full */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &turn, sizeof(turn));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		int error = errno == EAGAIN ? ETIMEDOUT : errno;
		if (fd >= 0)
			close(fd);
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"no supervisor at %s: %s; name another with --socket, or start one "
			"with: globus-streams-supervisor --socket %s",
			path, strerror(error), path);
	}
	if (!of_same_user(fd)) {
		close(fd);
		return failure_set(&cli->failure, STATUS_FAILED, "%s belongs to another user",
				   path);
	}
	return fd;
}

static int not_understood(struct cli *cli)
{
	return failure_set(&cli->failure, STATUS_FAILED,
			   "the supervisor is of another version: its answer was not understood; "
			   "restart the supervisor");
}

/* One answer to that question: its length, or -1 with cli->failure. */
static ssize_t receive(struct cli *cli, int fd, uint16_t serial, void *data, size_t size)
{
	struct control_header *header = data;
	ssize_t got;
	do /* an earlier question may be answered twice */
		got = recv(fd, data, size, MSG_TRUNC);
	while ((got < 0 && errno == EINTR) ||
	       (got >= (ssize_t)sizeof(*header) && header->serial != serial));
	if (got < 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "no answer from the supervisor: %s",
				   errno == EAGAIN ? "it took too long" : strerror(errno));
	if (got == 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "the supervisor has ended, or refused the connection");
	return got;
}

int control_ask(struct cli *cli, int fd, enum control_op op, struct control_header *question,
		size_t size, struct control_header *answer, size_t answer_size)
{
	static uint16_t serial;
	union {
		struct control_header header;
		struct control_reply reply;
		uint8_t room[CONTROL_MAX];
	} data;
	*question = (struct control_header){CONTROL_VERSION, (uint8_t)op, ++serial, (uint32_t)size};
	if (send(fd, question, size, MSG_NOSIGNAL) < 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "cannot send a request to the supervisor: %s", strerror(errno));
	ssize_t got = receive(cli, fd, serial, &data, sizeof(data));
	if (got < 0)
		return -1;
	if (got < (ssize_t)sizeof(data.header) || data.header.version != CONTROL_VERSION ||
	    data.header.size != (size_t)got)
		return not_understood(cli);
	if (data.header.op == CONTROL_REPLY && got == sizeof(data.reply)) {
		if (data.reply.error == EPROTO || (data.reply.error == 0 && answer))
			return not_understood(cli);
		return data.reply.error;
	}
	if (!answer || data.header.op != op || (size_t)got != answer_size)
		return not_understood(cli);
	memcpy(answer, &data, answer_size);
	return 0;
}
