#include "supervisor/tunnel/lan.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/tunnel/tunnel.h"

/* Fresh bytes of the system's, fetched 32 nonces at a time. Nobody inherits them: a supervisor
 * never forks, and the next one begins with none. */
static int fresh_nonce(uint8_t nonce[LAN_AUTH_NONCE])
{
	static uint8_t pool[32 * LAN_AUTH_NONCE];
	static size_t left;
	if (left == 0 && getrandom(pool, sizeof(pool), 0) != sizeof(pool))
		return -EIO;
	if (left == 0)
		left = sizeof(pool);
	left -= LAN_AUTH_NONCE;
	memcpy(nonce, pool + left, LAN_AUTH_NONCE);
	return 0;
}

int lan_begin_caller(const struct state *state, struct conn *conn)
{
	uint8_t nonce[LAN_AUTH_NONCE];
	int err = fresh_nonce(nonce);
	if (err < 0)
		return err;
	lan_auth_caller(&conn->la, state->tunnels[conn->tunnel].key_id, nonce);
	return 0;
}

int lan_begin_answerer(struct conn *conn)
{
	uint8_t nonce[LAN_AUTH_NONCE];
	int err = fresh_nonce(nonce);
	if (err == 0)
		lan_auth_answerer(&conn->la, nonce);
	return err;
}

void lan_warm_up(void)
{
	static const uint8_t zeros[LAN_AUTH_NONCE];
	struct lan_auth la;
	size_t len;
	/* a caller that has the whole CHALLENGE computes a MAC */
	lan_auth_caller(&la, zeros, zeros);
	lan_auth_sent(&la, LAN_AUTH_HELLO);
	static const uint8_t challenge[LAN_AUTH_HEADER] = {'G', 'S', 'L', '1', 2, LAN_AUTH_VERSION};
	memcpy(lan_auth_input(&la, &len), challenge, sizeof(challenge));
	lan_auth_received(&la, LAN_AUTH_HEADER);
	lan_auth_received(&la, LAN_AUTH_CHALLENGE - LAN_AUTH_HEADER);
	lan_auth_key(&la, zeros, sizeof(zeros));
}

/* The secret for the frame that has come. An answerer finds it by the key id in HELLO. */
static void give_key(const struct state *state, struct conn *conn)
{
	if (conn->tunnel == NONE) {
		const struct listener *listener = &state->listeners[conn->listener];
		conn->tunnel =
			tunnel_by_key(state, &listener->reach, address_port(&listener->address),
				      lan_auth_key_id(&conn->la));
	}
	if (conn->tunnel == NONE)
		lan_auth_key(&conn->la, NULL, 0);
	else
		lan_auth_key(&conn->la, state->tunnels[conn->tunnel].key,
			     state->tunnels[conn->tunnel].key_len);
}

static int send_some(struct conn *conn)
{
	size_t len;
	const uint8_t *data = lan_auth_output(&conn->la, &len);
	fault_point("lan.sending");
	ssize_t sent = send(conn->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	fault_point("lan.sent");
	if (sent < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	lan_auth_sent(&conn->la, (size_t)sent);
	return 0;
}

static int receive_some(struct conn *conn)
{
	size_t len;
	uint8_t *data = lan_auth_input(&conn->la, &len);
	fault_point("lan.receiving");
	ssize_t got = recv(conn->fd, data, len, MSG_DONTWAIT);
	fault_point("lan.received");
	if (got <= 0)
		return got < 0 ? -errno : -ECONNRESET;
	lan_auth_received(&conn->la, (size_t)got);
	fault_point("lan.recorded");
	return 0;
}

/* One step; -EAGAIN and *events where it has to wait. */
static int step(const struct state *state, struct conn *conn, uint32_t *events)
{
	switch (lan_auth_need(&conn->la)) {
	case LAN_AUTH_NEED_SEND:
		*events = EPOLLOUT;
		return send_some(conn);
	case LAN_AUTH_NEED_RECV:
		*events = EPOLLIN | EPOLLRDHUP;
		return receive_some(conn);
	case LAN_AUTH_NEED_KEY:
		give_key(state, conn);
		return 0;
	default: /* NEED_DECIDE: everyone who holds the secret is welcome */
		lan_auth_decide(&conn->la, LAN_AUTH_OK, state->tunnels[conn->tunnel].key,
				state->tunnels[conn->tunnel].key_len);
		return 0;
	}
}

int lan_drive(const struct state *state, struct conn *conn, uint32_t *events, const char **why)
{
	bool sent = false;
	for (;;) {
		enum lan_auth_need need = lan_auth_need(&conn->la);
		if (need == LAN_AUTH_DONE)
			return 0;
		if (need == LAN_AUTH_FAILED) {
			*why = lan_auth_why(&conn->la);
			return -lan_auth_errno(&conn->la);
		}
		if (sent && need == LAN_AUTH_NEED_RECV) {
			*events = EPOLLIN | EPOLLRDHUP; /* the answer is not there yet */
			return -EAGAIN;
		}
		sent = need == LAN_AUTH_NEED_SEND;
		int err = step(state, conn, events);
		if (err < 0) {
			*why = err == -ECONNRESET ? "the peer closed the connection"
						  : strerror(-err);
			return err;
		}
	}
}

bool lan_committed(const struct conn *conn)
{
	/* an answerer calls on once it has RESPONSE, which is filled in before it is sent */
	static const uint8_t none[LAN_AUTH_HEADER];
	return memcmp(conn->la.response, none, sizeof(none)) != 0;
}

static bool read_info(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);
	memset(info, 0, sizeof(*info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

/* Bytes that were sent and read on this socket in all. */
static bool totals(const struct conn *conn, uint64_t *sent, uint64_t *received)
{
	struct tcp_info before, after;
	int unacked = 0, unread = 0;
	do { /* an ACK or a segment may come in between */
		if (!read_info(conn->fd, &before) || ioctl(conn->fd, SIOCOUTQ, &unacked) < 0 ||
		    ioctl(conn->fd, SIOCINQ, &unread) < 0 || !read_info(conn->fd, &after))
			return false;
	} while (before.tcpi_bytes_acked != after.tcpi_bytes_acked ||
		 before.tcpi_bytes_received != after.tcpi_bytes_received);
	/* bytes_acked counts the SYN on the side that connects, bytes_received a FIN that has come
	 */
	bool connected = conn->state < CONN_INCOMING;
	bool fin = socket_fin_came(after.tcpi_state);
	*sent = after.tcpi_bytes_acked - connected + (uint64_t)unacked;
	/* SIOCOUTQ is one too many where the peer has no MPTCP */
	if (socket_is_multipath(conn->fd))
		*sent = after.tcpi_bytes_sent - after.tcpi_bytes_retrans + after.tcpi_notsent_bytes;
	*received = after.tcpi_bytes_received - fin - (uint64_t)unread;
	return true;
}

bool lan_alone(const struct conn *conn)
{
	uint64_t sent, received;
	return totals(conn, &sent, &received) && sent == conn->la.sent &&
	       received == conn->la.received;
}

bool lan_intruded(const struct conn *conn)
{
	uint64_t sent, received;
	return totals(conn, &sent, &received) &&
	       (sent > conn->la.sent || received > conn->la.received);
}

int lan_resume(struct conn *conn)
{
	uint64_t sent, received;
	if (!totals(conn, &sent, &received))
		return -EPROTO;
	uint64_t out = sent - conn->la.sent, in = received - conn->la.received;
	size_t len;
	switch (lan_auth_need(&conn->la)) {
	case LAN_AUTH_NEED_SEND:
		lan_auth_output(&conn->la, &len);
		if (in != 0 || out > len)
			return -EPROTO;
		lan_auth_sent(&conn->la, out);
		return 0;
	case LAN_AUTH_NEED_RECV:
		lan_auth_input(&conn->la, &len);
		if (out != 0 || in > len)
			return -EPROTO;
		lan_auth_received(&conn->la, in);
		return 0;
	default:
		return in || out ? -EPROTO : 0;
	}
}

enum lan_past lan_past(int fd)
{
	const struct conn conn = {.fd = fd, .state = CONN_AUTH};
	const uint64_t out = LAN_AUTH_HELLO + LAN_AUTH_RESPONSE,
		       in = LAN_AUTH_CHALLENGE + LAN_AUTH_STATUS;
	uint64_t sent, received;
	if (!totals(&conn, &sent, &received))
		return LAN_CALLED;
	if (sent <= LAN_AUTH_HELLO)
		return LAN_UNCALLED;
	if (sent < out || received < in)
		return LAN_CALLED;
	return sent == out && received == in ? LAN_WHOLE : LAN_USED;
}
