/*
 * connect(): the application's own socket is connected to the access point and authenticated there.
 *
 *     LOOKUP  the contact is being fetched      TCP     SYN sent
 *     AUTH    the handshake runs                FAILED  over, and the program has not asked yet
 *
 * A conn is found by its socket's cookie, whoever calls: a signal makes the kernel take a
 * notification back and the program call again, which joins what is running. A blocking connect()
 * waits to the end. A non-blocking one is held for a moment, enough on most LANs; then it returns
 * EINPROGRESS (told), and the kernel's own SYN_SENT keeps the socket unwritable until TCP is up.
 * From then on the program's question for the result, getsockopt(SO_ERROR) or a second connect(),
 * is held until the handshake ends. So that one that does not ask, and waits for something to read,
 * finds nothing of the handshake, its socket is hushed meanwhile, and looked at by time. One that
 * writes or reads all the same is known by the byte counters, and its connection is dropped.
 *
 * How it ends, and what is tried before it fails: connect_end.c.
 */

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/connect/conn.h"
#include "supervisor/connect/connect.h"
#include "supervisor/connect/connect_end.h"
#include "supervisor/connect/patience.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/tunnel/lan.h"

#define TCP_LIMIT     (10 * SECOND)      /* an access point is on the LAN */
#define HOLD_BLOCKING (10 * SECOND)      /* the handshake, else */
#define REALLY_FRESH  (30 * SECOND)      /* the real address of a mapped name */
#define LOOK          (MILLISECOND / 40) /* between two looks at hushed sockets, at least … */
#define LOOK_REST     (5 * MILLISECOND)  /* … and at one of them, unless there are many */

static struct conn *at(struct supervisor *s, uint32_t index)
{
	return &s->state->conns[index];
}

void connect_set_deadline(struct supervisor *s, uint32_t index, uint64_t at_time)
{
	at(s, index)->deadline = at_time;
	loop_at(&s->loop, at_time, supervisor_id(s, OBJECT_CONN, index));
}

static void watch(struct supervisor *s, uint32_t index, uint32_t events)
{
	conn_watch(s, index, events);
}

/* --- the handshake --- */

/* The program has closed its socket. If another process that we have not found has it, that process
 * must not take it for a connected one. */
static void give_up_unwanted(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	conn_debug(s, conn, "the program closed its socket: connect given up");
	socket_disconnect(conn->fd);
	conn_pass(s, conn);
	conn_forget(s, index);
}

/* For a program that has given up, the far listener must not be called. True: it has not given up.
 * While it is searched for, connect_searched() continues. */
static bool go_on(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	enum wanted wanted = conn_wanted(s, conn);
	if (wanted == SEARCHED_FOR) {
		conn_unwatch(s, conn);
		conn->waits_for_search = true;
	} else if (wanted == UNWANTED) {
		give_up_unwanted(s, index);
	}
	return wanted == WANTED;
}

void connect_searched(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	bool waits = conn->waits_for_search;
	conn->waits_for_search = false;
	if (waits)
		connect_event(s, index);
	else if (conn->search == SEARCH_NOBODY && conn->calls == NONE)
		give_up_unwanted(s, index);
}

/* Where the socket is hushed, what comes does not wake us either. The longer it has taken the less
 * a pause adds to it; and all looks together take a small part of our time. */
static void look_later(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	uint64_t now = loop_now(), pause, least = LOOK * s->state->connecting;
	if (!conn->told || conn->look_at)
		return;
	if (!conn->looks_from)
		conn->looks_from = now;
	pause = (now - conn->looks_from) / 32;
	if (pause > LOOK_REST)
		pause = LOOK_REST;
	conn->look_at = now + (pause < least ? least : pause);
	loop_at(&s->loop, conn->look_at, supervisor_id(s, OBJECT_CONN, index));
}

/* The program has written or read already. */
static void fail_intruded(struct supervisor *s, uint32_t index)
{
	at(s, index)->intruded = true;
	if (lan_intruded(at(s, index)))
		patience_intruded(s, at(s, index));
	connect_fail(s, index, EPROTO,
		     "the program wrote or read before checking that it was connected");
}

static void drive(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	const char *why = NULL;
	uint32_t events = 0;
	/* what the program did behind our back must not reach the access point as the handshake */
	if (conn->told && !lan_alone(conn)) {
		fail_intruded(s, index);
		return;
	}
	/* before RESPONSE, which makes the access point call on */
	if (!lan_committed(conn) && !go_on(s, index))
		return;
	int err = lan_drive(s->state, conn, &events, &why);
	if (err == -EAGAIN) {
		watch(s, index, events);
		look_later(s, index);
	} else if (err < 0)
		connect_fail_or_retry(s, index, -err, why);
	else if (conn->told && !lan_alone(conn))
		fail_intruded(s, index);
	else
		connect_succeed(s, index);
}

void connect_tell(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	conn->told = true;
	if (conn->state == CONN_AUTH) {
		socket_hush(conn);
		look_later(s, index);
	}
}

void connect_look(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	conn->look_at = 0;
	if (conn->state != CONN_AUTH)
		return;
	if (lan_alone(conn) && !socket_has_bytes(conn->fd))
		look_later(s, index);
	else
		drive(s, index);
}

static void tcp_is_up(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	uint64_t now = loop_now();
	conn_debug(s, conn, "TCP connection established");
	if (conn->tunnel != NONE)
		s->state->tunnels[conn->tunnel].slow = now - conn->began > HOLD_NONBLOCKING;
	if (!go_on(s, index))
		return;
	if (conn->plain) {
		connect_succeed(s, index);
		return;
	}
	if (lan_begin_caller(s->state, conn) < 0) {
		connect_fail(s, index, EIO, "no random bytes available");
		return;
	}
	socket_begin_handshake(conn);
	fault_point("connect.up");
	conn->state = CONN_AUTH;
	fault_point("connect.auth");
	connect_set_deadline(s, index, now + (conn->nonblocking ? HOLD_LOOP : HOLD_BLOCKING));
	drive(s, index);
}

/* --- TCP --- */

/* After a step that gave err. A told program's error is left for it to read. */
static void tcp_step(struct supervisor *s, uint32_t index, int err)
{
	if (err == -EINPROGRESS || err == -EALREADY || err == -EINTR)
		watch(s, index, EPOLLOUT);
	else if (err == 0 ||
		 (err == -EISCONN && socket_tcp_state(at(s, index)->fd) == TCP_ESTABLISHED))
		tcp_is_up(s, index);
	else
		connect_fail_or_retry(s, index, -err, NULL);
}

void connect_tcp_event(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	int tcp = socket_tcp_state(conn->fd);
	if (tcp == TCP_SYN_SENT || tcp == TCP_SYN_RECV)
		return;
	if (tcp != TCP_CLOSE)
		tcp_is_up(s, index);
	else if (conn->told)
		connect_fail_or_retry(s, index, 0, NULL);
	else
		tcp_step(s, index, socket_connect(conn->fd, &conn->peer));
}

/* An address that cannot be reached from where the program has bound its socket. */
static bool bound_elsewhere(const struct conn *conn)
{
	return address_is_loopback(&conn->here) && !address_is_loopback(&conn->peer);
}

void connect_start_tcp(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	int family = conn->family;
	if (conn->tunnel != NONE) {
		const struct tunnel *tunnel = &s->state->tunnels[conn->tunnel];
		conn->peer = tunnel->contact;
		conn->plain = !tunnel->secured;
	} else {
		const struct name *name = &s->state->names[conn->name];
		bool v6 = !name->real.sa.sa_family ||
			  (family == AF_INET6 && conn->asked.sa.sa_family == AF_INET6 &&
			   name->real6.sa.sa_family);
		conn->peer = v6 ? name->real6 : name->real;
		address_set_port(&conn->peer, address_port(&conn->asked));
		conn->plain = true;
	}
	union address to = conn->peer;
	if (!address_for_socket(&to, family)) {
		connect_fail(s, index, EAFNOSUPPORT, NULL);
		return;
	}
	if (family == AF_INET6 && conn->peer.sa.sa_family == AF_INET)
		socket_allow_ipv4(conn->fd);
	if (bound_elsewhere(conn)) {
		connect_fail(s, index, EADDRNOTAVAIL, NULL);
		return;
	}
	conn->peer = to;
	conn->state = CONN_TCP;
	fault_point("connect.tcp");
	connect_set_deadline(s, index, loop_now() + TCP_LIMIT);
	int err = socket_connect(conn->fd, &conn->peer);
	fault_point("connect.syn-sent");
	/* on this host it is up at once */
	if (err == -EINPROGRESS && socket_tcp_state(conn->fd) == TCP_ESTABLISHED)
		err = 0;
	tcp_step(s, index, err);
}

/* --- the calls --- */

void connect_hold(struct supervisor *s, uint32_t call, enum call_kind kind, uint32_t index)
{
	supervisor_hold(s, call, kind, &at(s, index)->calls, index);
}

static bool contact_known(const struct supervisor *s, const struct conn *conn)
{
	if (conn->tunnel != NONE)
		return s->state->tunnels[conn->tunnel].contact.sa.sa_family != 0;
	uint64_t resolved = s->state->names[conn->name].resolved;
	return resolved && resolved + REALLY_FRESH > conn->began;
}

/* The call waits for the conn; then the conn is begun. */
void connect_begin(struct supervisor *s, uint32_t call_index, uint32_t index)
{
	struct conn *conn = at(s, index);
	struct call *call = &s->state->calls[call_index];
	uint64_t wait = patience_first(s, conn);
	connect_hold(s, call_index, CALL_CONNECT, index);
	fault_point("connect.held");
	if (wait) {
		call->deadline = conn->began + wait;
		loop_at(&s->loop, call->deadline, supervisor_id(s, OBJECT_CALL, call_index));
	}
	if (contact_known(s, conn))
		connect_start_tcp(s, index);
	else
		connect_want_lookup(s, index);
}

/* --- events --- */

void connect_event(struct supervisor *s, uint32_t index)
{
	if (at(s, index)->state == CONN_TCP)
		connect_tcp_event(s, index);
	else if (at(s, index)->state == CONN_AUTH)
		drive(s, index);
}

void connect_deadline(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	if (conn->state == CONN_FAILED || conn->state == CONN_DONE) {
		conn_forget(s, index);
	} else if (conn->state == CONN_TCP) {
		connect_fail_or_retry(s, index, ETIMEDOUT, "no answer within 10 s");
	} else if (conn->state == CONN_AUTH) {
		connect_fail(s, index, ETIMEDOUT, "the access point did not answer in time");
	} else if (conn->peer.sa.sa_family && conn->error == 0) {
		connect_fail_in_kernel(s, index);
	} else if (conn->peer.sa.sa_family) {
		connect_fail(s, index, conn->error, connect_first_reason(conn));
	} else {
		connect_fail(s, index, ETIMEDOUT, "the address lookup took too long");
	}
}

/* Programs that died, or closed the socket while it connects. */
bool connect_sweep(struct supervisor *s, uint32_t index)
{
	const struct conn *conn = at(s, index);
	if (!conn->slot.used || conn->state > CONN_AUTH || conn->fd < 0)
		return false;
	if (conn->calls == NONE && conn_wanted(s, at(s, index)) == UNWANTED) {
		give_up_unwanted(s, index);
		return false;
	}
	return true;
}

/* --- taking over --- */

void connect_recover_conn(struct supervisor *s, uint32_t index)
{
	conn_put(s->state, index);
	patience_recover(s, at(s, index));
	at(s, index)->look_at = 0; /* connect_resume() looks */
	if (at(s, index)->deadline)
		connect_set_deadline(s, index, at(s, index)->deadline);
}

void connect_resume(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	switch (conn->state) {
	case CONN_LOOKUP:
		connect_leave_contact(conn);
		if (!conn->retried && contact_known(s, conn))
			connect_start_tcp(s, index);
		else
			connect_want_lookup(s, index);
		return;
	case CONN_DONE:
		connect_succeed(s, index);
		return;
	case CONN_FAILED:
		if (conn->fd >= 0)
			connect_finish_failure(s, index);
		return;
	case CONN_TCP:
		if (socket_tcp_state(conn->fd) == TCP_CLOSE && !conn->told)
			connect_start_tcp(
				s, index); /* it was about to be sent, or its error was not told */
		else
			watch(s, index, EPOLLOUT);
		return;
	case CONN_AUTH:
		if (lan_resume(conn) < 0)
			fail_intruded(s, index);
		else
			drive(s, index);
		return;
	}
}
