#include "contrib/gateway/relay/handshake.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "contrib/gateway/base/ids.h"

void handshake_answer(struct handshake *handshake, bool held)
{
	uint8_t nonce[LAN_AUTH_NONCE];

	random_bytes(nonce, sizeof(nonce));
	*handshake = (struct handshake){.held = held};
	lan_auth_answerer(&handshake->auth, nonce);
}

void handshake_call(struct handshake *handshake, const uint8_t key_id[LAN_AUTH_KEY_ID], bool held)
{
	uint8_t nonce[LAN_AUTH_NONCE];

	random_bytes(nonce, sizeof(nonce));
	*handshake = (struct handshake){.held = held};
	lan_auth_caller(&handshake->auth, key_id, nonce);
}

/* Bytes moved, 0 when the socket is not ready, -1 when the peer is gone. */
static int outcome(ssize_t moved)
{
	if (moved > 0)
		return (int)moved;
	return moved < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int send_some(struct lan_auth *auth, int fd)
{
	size_t len;
	const uint8_t *bytes = lan_auth_output(auth, &len);
	int moved = outcome(send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT));

	if (moved > 0)
		lan_auth_sent(auth, (size_t)moved);
	return moved;
}

static int receive_some(struct lan_auth *auth, int fd)
{
	size_t len;
	uint8_t *bytes = lan_auth_input(auth, &len);
	int moved = outcome(recv(fd, bytes, len, MSG_DONTWAIT));

	if (moved > 0)
		lan_auth_received(auth, (size_t)moved);
	return moved;
}

enum handshake_need handshake_step(struct handshake *handshake, int fd)
{
	struct lan_auth *auth = &handshake->auth;
	size_t left;
	int moved;

	for (;;) {
		switch (lan_auth_need(auth)) {
		case LAN_AUTH_NEED_SEND:
			if (handshake->held && !handshake->released)
				return HANDSHAKE_RELEASE;
			lan_auth_output(auth, &left);
			moved = send_some(auth, fd);
			if (moved > 0 && (size_t)moved == left) /* the frame is out */
				handshake->released = false;
			break;
		case LAN_AUTH_NEED_RECV:
			moved = receive_some(auth, fd);
			break;
		case LAN_AUTH_NEED_KEY:
			return HANDSHAKE_KEY;
		case LAN_AUTH_NEED_DECIDE:
			return HANDSHAKE_DECIDE;
		case LAN_AUTH_DONE:
			return HANDSHAKE_DONE;
		case LAN_AUTH_FAILED:
		default:
			return HANDSHAKE_FAILED;
		}
		if (moved <= 0)
			return moved == 0 ? HANDSHAKE_SOCKET : HANDSHAKE_GONE;
	}
}

void handshake_release(struct handshake *handshake)
{
	handshake->released = true;
}
