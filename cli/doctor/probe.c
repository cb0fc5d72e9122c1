#include "cli/doctor/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
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

static int connect_one(const struct addrinfo *address, unsigned seconds)
{
	cleanup_fd int fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	int err = connect(fd, address->ai_addr, address->ai_addrlen) < 0 ? -errno : 0;
	if (err == -EINPROGRESS)
		err = wait_for(fd, POLLOUT, clock_ms() + seconds * 1000LL);
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

int probe_connect(const struct addrinfo *list, unsigned seconds)
{
	int fd = -EADDRNOTAVAIL;
	for (; list; list = list->ai_next) {
		fd = connect_one(list, seconds);
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

int probe_authenticate(int fd, const struct conf_view *view, unsigned seconds, const char **why,
		       bool *reached)
{
	struct lan_auth la;
	uint8_t nonce[LAN_AUTH_NONCE];
	*reached = false;
	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce)) {
		*why = "no random numbers are available";
		return -EIO;
	}
	lan_auth_caller(&la, view->key_id, nonce);
	int err = handshake(fd, &la, view, clock_ms() + seconds * 1000LL);
	if (err) {
		*why = err == -ETIMEDOUT    ? "it accepted the connection but sent no reply"
		       : err == -ECONNRESET ? "it closed the connection"
					    : "the connection broke";
		return err;
	}
	if (lan_auth_need(&la) == LAN_AUTH_DONE)
		return 0;
	*why = lan_auth_why(&la);
	*reached = la.fault == LAN_AUTH_FAULT_STATUS &&
		   (la.code == LAN_AUTH_UNREACHABLE || la.code == LAN_AUTH_NOT_ACTIVE ||
		    la.code == LAN_AUTH_TIMED_OUT || la.code == LAN_AUTH_BUSY);
	return -lan_auth_errno(&la);
}
