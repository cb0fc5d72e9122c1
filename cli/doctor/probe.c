#include "cli/doctor/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "protocol/lan_auth.h"

/* Wait until fd is ready; -ETIMEDOUT at end. */
static int wait_for(int fd, short events, long long end)
{
	struct pollfd ready = {.fd = fd, .events = events};
	for (;;) {
		long long left = end - clock_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		int n = poll(&ready, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* In a child, whose memory is not ours any more: fill in the list, and send it. */
static void resolve(const struct contact *contact, int out, struct probe_addresses *list)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char port[8];
	snprintf(port, sizeof(port), "%u", contact->port);
	list->code = getaddrinfo(contact->host, port, &hints, &found);
	for (; list->code == 0 && found && list->count < PROBE_ADDRESSES_MAX;
	     found = found->ai_next) {
		list->items[list->count].len = found->ai_addrlen;
		memcpy(&list->items[list->count++].address, found->ai_addr, found->ai_addrlen);
	}
	_exit(write(out, list, sizeof(*list)) == sizeof(*list) ? 0 : 1);
}

void probe_resolve(const struct contact *contact, long long end, struct probe_addresses *list)
{
	int pipe[2];
	*list = (struct probe_addresses){.code = EAI_SYSTEM};
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		resolve(contact, pipe[1], list);
	close(pipe[1]);
	/* The list is smaller than PIPE_BUF, so that it comes as a whole. */
	if (child > 0 && wait_for(pipe[0], POLLIN, end) < 0)
		list->code = EAI_AGAIN;
	else if (child > 0 && read(pipe[0], list, sizeof(*list)) != sizeof(*list))
		*list = (struct probe_addresses){.code = EAI_FAIL};
	close(pipe[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}

void probe_text(const struct probe_addresses *list, char *text, size_t size)
{
	*text = '\0';
	if (list->count &&
	    getnameinfo((const struct sockaddr *)&list->items[0].address, list->items[0].len, text,
			(socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
		*text = '\0';
}

static int connect_one(const struct sockaddr *address, socklen_t size, long long end)
{
	cleanup_fd int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	int err = connect(fd, address, size) < 0 ? -errno : 0;
	if (err == -EINPROGRESS)
		err = wait_for(fd, POLLOUT, end);
	int error = 0;
	socklen_t len = sizeof(error);
	if (!err && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		err = -errno;
	if (err || error)
		return err ? err : -error;
	int connected = fd;
	fd = -1;
	return connected;
}

int probe_connect(const struct probe_addresses *list, long long end)
{
	int fd = -EADDRNOTAVAIL;
	for (size_t i = 0; i < list->count; i++) {
		/* An address that does not answer leaves time for those behind it. */
		long long now = clock_ms(), share = (end - now) / (long long)(list->count - i);
		fd = connect_one((const struct sockaddr *)&list->items[i].address,
				 list->items[i].len, now + share);
		if (fd >= 0)
			return fd;
	}
	return fd;
}

/* One step of the handshake. */
static int step(int fd, struct lan_auth *la, const struct conf_view *view)
{
	size_t len;
	ssize_t n;
	switch (lan_auth_need(la)) {
	case LAN_AUTH_NEED_SEND: {
		const uint8_t *out = lan_auth_output(la, &len);
		n = send(fd, out, len, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		lan_auth_sent(la, (size_t)n);
		return 0;
	}
	case LAN_AUTH_NEED_RECV: {
		uint8_t *in = lan_auth_input(la, &len);
		n = recv(fd, in, len, 0);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		lan_auth_received(la, (size_t)n);
		return 0;
	}
	case LAN_AUTH_NEED_KEY:
		lan_auth_key(la, view->key, view->key_len);
		return 0;
	default:
		return -EPROTO;
	}
}

static int handshake(int fd, struct lan_auth *la, const struct conf_view *view, long long end)
{
	int err = 0;
	while (!err) {
		enum lan_auth_need need = lan_auth_need(la);
		if (need == LAN_AUTH_DONE || need == LAN_AUTH_FAILED)
			return 0;
		if (need == LAN_AUTH_NEED_SEND)
			err = wait_for(fd, POLLOUT, end);
		else if (need == LAN_AUTH_NEED_RECV)
			err = wait_for(fd, POLLIN, end);
		if (!err)
			err = step(fd, la, view);
	}
	return err;
}

/* What the handshake has shown so far, whether it ended well, badly or not at all. */
static void judge(const struct lan_auth *la, int err, struct probe_result *result)
{
	bool failed = !err && lan_auth_need(la) == LAN_AUTH_FAILED;
	bool status = failed && la->fault == LAN_AUTH_FAULT_STATUS;
	result->code = status ? la->code : -1;
	result->challenged = la->sent > LAN_AUTH_HELLO;
	result->answered = status || result->challenged;
	result->reached =
		status && (la->code == LAN_AUTH_UNREACHABLE || la->code == LAN_AUTH_NOT_ACTIVE ||
			   la->code == LAN_AUTH_TIMED_OUT || la->code == LAN_AUTH_BUSY);
	if (err)
		result->why = err == -ETIMEDOUT    ? "it accepted the connection but sent no reply"
			      : err == -ECONNRESET ? "it closed the connection"
						   : "the connection broke";
	else if (failed)
		result->why = lan_auth_why(la);
}

int probe_authenticate(int fd, const struct conf_view *view, long long end,
		       struct probe_result *result)
{
	struct lan_auth la;
	uint8_t nonce[LAN_AUTH_NONCE];
	*result = (struct probe_result){.code = -1};
	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce)) {
		result->why = "no random numbers are available";
		return -EIO;
	}
	lan_auth_caller(&la, view->key_id, nonce);
	int err = handshake(fd, &la, view, end);
	judge(&la, err, result);
	return err || lan_auth_need(&la) == LAN_AUTH_DONE ? err : -lan_auth_errno(&la);
}
