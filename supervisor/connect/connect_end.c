/*
 * How a connection that is being made ends, in success or in failure; and what is tried before a
 * failure: a contact that fails is fetched again, once for each connection, and tried again where
 * that gives another one. Not so once RESPONSE is out: the far listener may have been called.
 */

#include "supervisor/connect/connect_end.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/log.h"
#include "supervisor/base/refusal.h"
#include "supervisor/base/work.h"
#include "supervisor/connect/conn.h"
#include "supervisor/connect/connect.h"
#include "supervisor/connect/patience.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/tunnel/lan.h"
#include "supervisor/tunnel/lookup.h"

#define LOOKUP_LIMIT (5 * SECOND)        /* looking a contact up again, with an error to report */
#define KEEP_TOLD    (100 * MILLISECOND) /* a success that was told */
#define KEEP_RESULT  (60 * SECOND)       /* of a failure that nobody asked for */

static struct conn *at(struct supervisor *s, uint32_t index)
{
	return &s->state->conns[index];
}

/* --- the ends --- */

void connect_succeed(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	uint32_t call = conn->calls;
	while (call != NONE && s->state->calls[call].kind != CALL_CONNECT)
		call = s->state->calls[call].next;
	/* so that the next connect() says EISCONN; after EINPROGRESS it says 0 once */
	if (call != NONE && conn->fd >= 0 && !conn->late)
		socket_connect(conn->fd, &conn->peer);
	fault_point("connect.authenticated");
	conn->state = CONN_DONE;
	fault_point("connect.done");
	/* the program must find no descriptor of ours when it closes its own */
	conn_drop_socket(s, conn);
	conn_debug(s, conn, conn->plain ? "connected" : "authenticated");
	s->state->counters.connects++;
	bool asked = call != NONE, answered = conn_answer(s, conn, 0);
	patience_over(s, conn, answered);
	if (!conn->told && conn->nonblocking)
		patience_well(s, conn);
	/* A signal may have come at the last moment, and even when SEND succeeds: then connect()
	 * comes again, and must not find EISCONN. */
	if ((conn->told && !asked) || (answered && !conn->interrupted))
		conn_forget(s, index);
	else
		connect_set_deadline(s, index, loop_now() + (answered ? KEEP_TOLD : KEEP_RESULT));
}

/* The socket is as it was before it was connected. */
static void disconnect(struct conn *conn)
{
	if (socket_tcp_state(conn->fd) != TCP_CLOSE)
		socket_disconnect(conn->fd);
	socket_end_handshake(conn); /* not before: it would wake the program */
}

/* What has failed is told, by the next supervisor where this one ends in between. */
void connect_finish_failure(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	conn_unwatch(s, conn);
	disconnect(conn);
	fault_point("connect.disconnected");
	bool asked = conn->calls != NONE;
	if (asked)
		socket_take_error(conn->fd); /* the program is about to be told */
	if (asked && conn_answer(s, conn, conn->error)) {
		conn_forget(s, index);
		return;
	}
	conn_drop_socket(s, conn);
	connect_set_deadline(s, index, loop_now() + KEEP_RESULT);
}

void connect_fail(struct supervisor *s, uint32_t index, int error, const char *why)
{
	struct conn *conn = at(s, index);
	patience_over(s, conn, false);
	conn_report(s, conn, error, why);
	refusal_count(s->state, conn, error);
	fault_point("connect.failing");
	conn->error = error;
	atomic_signal_fence(memory_order_seq_cst);
	conn->state = CONN_FAILED;
	fault_point("connect.failed");
	connect_finish_failure(s, index);
}

/* TCP itself failed, and nothing else is to be tried: the kernel reports it better than we can,
 * unless a connect() is held. */
void connect_fail_in_kernel(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	if (conn->error) {
		connect_fail(s, index, conn->error, NULL);
		return;
	}
	conn_report(s, conn, ECONNREFUSED, "no TCP connection");
	conn_pass(s, conn);
	conn_forget(s, index);
}

/* --- a contact that failed --- */

/* Its error is not the program's. */
void connect_leave_contact(struct conn *conn)
{
	bool begun = socket_tcp_state(conn->fd) != TCP_CLOSE;
	disconnect(conn);
	if (begun)
		socket_take_error(conn->fd);
}

void connect_want_lookup(struct supervisor *s, uint32_t index)
{
	struct conn *conn = at(s, index);
	conn->state = CONN_LOOKUP;
	fault_point("connect.lookup");
	conn_debug(s, conn, "looking up its address");
	conn_unwatch(s, conn);
	if (conn->retried || conn->nonblocking)
		connect_set_deadline(s, index,
				     loop_now() + (conn->nonblocking ? HOLD_LOOP : LOOKUP_LIMIT));
	lookup_want(s->state, conn->tunnel != NONE ? conn->tunnel : LOOKUP_OF_NAME(conn->name));
}

/* May another contact help? Not if the far listener may have been called already, nor if the access
 * point knows the tunnel and gave a reason. */
static bool worth_a_lookup(const struct conn *conn)
{
	uint8_t code = conn->la.code;
	if (conn->retried || conn->tunnel == NONE || conn->error == ENOMEM)
		return false;
	if (conn->error == EADDRNOTAVAIL || conn->error == EADDRINUSE || conn->error == EINVAL ||
	    conn->error == EISCONN || conn->error == EACCES || conn->error == EPERM)
		return code == LAN_AUTH_UNKNOWN_KEY; /* else it is the socket's or this host's */
	if (code == LAN_AUTH_NOT_ACTIVE)
		return true;
	return !lan_committed(conn) && (code == LAN_AUTH_OK || code == LAN_AUTH_UNKNOWN_KEY);
}

/* Give up, or look the contact up again. error 0: the kernel has the error and reports it to the
 * program. */
void connect_fail_or_retry(struct supervisor *s, uint32_t index, int error, const char *why)
{
	struct conn *conn = at(s, index);
	conn->error = error;
	if (!worth_a_lookup(conn)) {
		if (error == 0)
			connect_fail_in_kernel(s, index);
		else
			connect_fail(s, index, error, why);
		return;
	}
	conn->retried = true;
	atomic_signal_fence(memory_order_seq_cst);
	conn->state = CONN_LOOKUP;
	fault_point("connect.retrying");
	connect_leave_contact(conn);
	conn_debug(s, conn, why ? why : error ? strerror(error) : "no TCP connection");
	connect_want_lookup(s, index);
}

/* What went wrong before the contact was looked up again. */
const char *connect_first_reason(const struct conn *conn)
{
	if (conn->la.fault != LAN_AUTH_NO_FAULT)
		return lan_auth_why(&conn->la);
	if (conn->error == ECONNRESET)
		return "the peer closed the connection";
	return conn->error ? strerror(conn->error) : "no TCP connection";
}

/* The lookup failed: report what went wrong first, if anything did, and what the lookup printed. */
static void lookup_failed(struct supervisor *s, uint32_t index, const char *text)
{
	struct conn *conn = at(s, index);
	char both[LOOKUP_TEXT_MAX + 128];
	bool tried = conn->peer.sa.sa_family != 0;
	static const char prefix[] = "globus-streams: "; /* the line is ours */
	if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
		text += sizeof(prefix) - 1;
	int error = conn->error ? conn->error : tried ? ECONNREFUSED : ENETUNREACH;
	if (tried)
		snprintf(both, sizeof(both), "%s (and looking up its address again: %s)",
			 connect_first_reason(conn), text);
	connect_fail(s, index, error, tried ? both : text);
}

static void lookup_over_for(struct supervisor *s, uint32_t index, const char *text)
{
	struct conn *conn = at(s, index);
	union address before = conn->peer, after = {0};
	if (conn->tunnel != NONE) {
		after = s->state->tunnels[conn->tunnel].contact;
	} else {
		struct name *name = &s->state->names[conn->name];
		after = name->real.sa.sa_family ? name->real : name->real6;
	}
	bool again =
		after.sa.sa_family && (!before.sa.sa_family || !address_same(&before, &after) ||
				       conn->la.code == LAN_AUTH_NOT_ACTIVE);
	if (again) {
		if (before.sa.sa_family)
			socket_take_error(conn->fd); /* it was the old contact's */
		memset(&conn->la, 0, sizeof(conn->la));
		connect_start_tcp(s, index);
	} else if (text[0]) {
		lookup_failed(s, index, text);
	} else if (before.sa.sa_family && conn->error == 0) {
		connect_fail_in_kernel(s, index);
	} else {
		connect_fail(s, index, conn->error ? conn->error : ENETUNREACH,
			     connect_first_reason(conn));
	}
}

void connect_lookup_over(struct supervisor *s, uint32_t lookup)
{
	char text[LOOKUP_TEXT_MAX];
	memcpy(text, s->state->lookups[lookup].text, sizeof(text));
	for (uint32_t i = 0; i < s->state->conn_pool.top; i++) {
		struct conn *conn = at(s, i);
		uint32_t its = conn->tunnel != NONE ? conn->tunnel : LOOKUP_OF_NAME(conn->name);
		if (!conn->slot.used || conn->state != CONN_LOOKUP || its != lookup)
			continue;
		work_on_conn(s->state, i);
		lookup_over_for(s, i, text);
	}
}
