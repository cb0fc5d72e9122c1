/* The calls that connect.c's connections are made for: connect(), and the question for its result.
 */

#include <errno.h>
#include <netinet/tcp.h>

#include "protocol/control.h"
#include "supervisor/accept/wake.h"
#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/calls/blind.h"
#include "supervisor/connect/conn.h"
#include "supervisor/connect/connect.h"
#include "supervisor/connect/connect_end.h"
#include "supervisor/connect/inherit.h"
#include "supervisor/connect/patience.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/real.h"
#include "supervisor/tunnel/route.h"

static struct conn *at(struct supervisor *s, uint32_t index)
{
	return &s->state->conns[index];
}

void connect_call_deadline(struct supervisor *s, uint32_t call_index)
{
	struct call *call = &s->state->calls[call_index];
	uint32_t index = call->owner;
	struct conn *conn = at(s, index);
	uint64_t until = notify_valid(s->state, call) ? patience_further(s, conn) : 0;
	if (until) {
		call->deadline = until;
		loop_at(&s->loop, until, supervisor_id(s, OBJECT_CALL, call_index));
		return;
	}
	patience_over(s, conn, false);
	patience_meet(s, conn);
	if (notify_valid(s->state, call) && patience_must_not_tell(s, conn)) {
		connect_fail(s, index, ETIMEDOUT,
			     "not established after 2 s, and the program does not check for it");
		return;
	}
	supervisor_release(s, call_index, &conn->calls);
	if (conn->tunnel != NONE && conn->state == CONN_TCP)
		s->state->tunnels[conn->tunnel].slow = true;
	connect_tell(s, index);
	fault_point("connect.told");
	conn_debug(s, conn, "EINPROGRESS returned to the program");
	if (conn->nonblocking)
		patience_in_vain(s, conn);
	if (conn->state != CONN_TCP && conn->nonblocking)
		connect_set_deadline(s, index, conn->began + HOLD_NONBLOCKING + HOLD_LOOP);
	conn->untold = notify_fail(s->state, call_index, call->again ? EALREADY : EINPROGRESS) < 0;
}

/* The call waits with the one that began, for as long as SO_SNDTIMEO lets it. A call that a signal
 * has taken back comes again; with a time limit the kernel would have ended it with EINTR
 * (signal(7)). */
static void join_running(struct supervisor *s, uint32_t call_index, uint32_t index)
{
	struct conn *conn = at(s, index);
	struct call *call = &s->state->calls[call_index];
	bool interrupted = supervisor_interrupted(s, call, &conn->calls);
	conn->interrupted |= interrupted;
	uint64_t timeout = conn->nonblocking ? 0 : socket_timeout(conn->fd, SO_SNDTIMEO);
	if (timeout && interrupted) {
		connect_tell(s, index);
		notify_fail(s->state, call_index, EINTR);
		return;
	}
	connect_hold(s, call_index, CALL_CONNECT, index);
	if (conn->nonblocking && !conn->told) {
		call->deadline = conn->began + HOLD_NONBLOCKING; /* the first one's */
	} else if (timeout) {
		call->again = true;
		call->deadline = loop_now() + timeout;
	}
	if (call->deadline)
		loop_at(&s->loop, call->deadline, supervisor_id(s, OBJECT_CALL, call_index));
}

/* The socket is known: the call joins what is running, or learns what came of it. */
static void join(struct supervisor *s, uint32_t call_index, uint32_t index, bool same,
		 bool nonblocking)
{
	struct conn *conn = at(s, index);
	if (same && nonblocking && conn->state != CONN_TCP && !conn->untold)
		patience_asked(s, conn);
	if (conn->state == CONN_DONE) {
		/* in this order: nothing but this remembers that the program was not told */
		notify_return(s->state, call_index, 0);
		conn_forget(s, index);
	} else if (conn->state == CONN_FAILED) {
		int error = conn->error;
		conn_forget(s, index);
		notify_fail(s->state, call_index, error);
	} else if (!same || (nonblocking && conn->state == CONN_TCP)) {
		notify_fail(s->state, call_index, EALREADY);
	} else if (conn->untold && nonblocking) {
		conn->untold = false;
		notify_fail(s->state, call_index, EINPROGRESS);
	} else {
		join_running(s, call_index, index);
	}
}

/* What the kernel says to a connect on a socket that is not fresh. False: it is fresh by now. */
static bool answer_used(struct supervisor *s, uint32_t call, int fd)
{
	int err = socket_ask_connect(fd);
	if (err == -EAFNOSUPPORT)
		return false;
	if (err == 0)
		notify_return(s->state, call, 0);
	else
		notify_fail(s->state, call, -err);
	return true;
}

/* What a socket is before it is connected. */
struct facts {
	struct identity identity;
	int family, tcp_state; /* as in socket.h */
	union address here;
};

static void connect_socket(struct supervisor *s, uint32_t call, int *fd, struct facts *facts,
			   const struct route *route, const union address *asked)
{
	uint64_t cookie = facts->identity.cookie;
	uint32_t index = conn_find(s->state, cookie);
	if (index != NONE) {
		join(s, call, index, address_same(asked, &at(s, index)->asked),
		     socket_is_nonblocking(*fd));
		return;
	}
	patience_asked_about(s, cookie);
	if (facts->tcp_state != TCP_CLOSE && inherit_connect(s, call, *fd, route))
		return;
	if (facts->tcp_state != TCP_CLOSE && socket_tcp_state(*fd) != TCP_CLOSE &&
	    answer_used(s, call, *fd))
		return;
	if (facts->tcp_state != TCP_CLOSE) /* not any more */
		socket_name(*fd, &facts->here, &facts->family);
	index = conn_add(s->state, s->state->calls[call].program, &facts->identity, *fd);
	if (index == NONE) {
		notify_fail(s->state, call, ENOBUFS);
		return;
	}
	steal_fd(fd);
	fault_point("connect.recorded");
	struct conn *conn = at(s, index);
	conn->tunnel = route->tunnel;
	conn->name = route->name;
	conn->asked = *asked;
	conn->tid = conn->group = (int)s->state->calls[call].notif.pid;
	conn->number = (int)s->state->calls[call].args[0];
	conn->nonblocking = socket_is_nonblocking(conn->fd);
	conn->family = facts->family;
	conn->here = facts->here;
	atomic_signal_fence(memory_order_seq_cst);
	conn->whole = true;
	fault_point("connect.whole");
	conn_debug(s, conn,
		   conn->nonblocking ? "connect requested, non-blocking" : "connect requested");
	connect_begin(s, call, index);
}

static void refuse_port(struct supervisor *s, uint32_t call, const struct route *route,
			const union address *asked)
{
	const struct name *name = &s->state->names[route->name];
	log_warn("%s has no port %u; connect to %s:%u", name->host, (unsigned)address_port(asked),
		 name->host, (unsigned)name->port[0]);
	notify_fail(s->state, call, ECONNREFUSED);
}

/* Its own rules may keep it from where we would connect it; one that another supervisor served may
 * have some too. */
static bool is_confined(const struct supervisor *s, const struct call *call)
{
	const struct program *program = &s->state->programs[call->program];
	return program->confined || program->inherited;
}

static void refuse_really(struct supervisor *s, uint32_t call, const struct route *route,
			  const union address *asked)
{
	log_warn("a connection to %s:%u is refused: that port leads into no tunnel, and a program "
		 "of this command has restricted itself with landlock(7)",
		 s->state->names[route->name].host, (unsigned)address_port(asked));
	notify_fail(s->state, call, EACCES);
}

/* The socket could not be duplicated. A call that leads into a tunnel must still not go to the
 * kernel; the error tells what is no socket at all. */
static void connect_unseen(struct supervisor *s, uint32_t index, int error)
{
	const struct call *call = &s->state->calls[index];
	if (!notify_valid(s->state, call))
		notify_forget(s->state, index);
	else if (error == -EBADF || error == -ENOTSOCK)
		notify_fail(s->state, index, -error);
	else if (error == -EMFILE || error == -ENFILE || error == -ENOMEM)
		notify_fail(s->state, index, ENFILE);
	else
		blind_refuse(s, index, error);
}

/* Its family has no such addresses: what the kernel says of that. */
static void refuse_socket(struct supervisor *s, uint32_t index, int fd)
{
	notify_fail(s->state, index, socket_family(fd) == AF_UNIX ? EINVAL : EAFNOSUPPORT);
}

/* The socket is of the other of the two families: likewise. */
static void refuse_family(struct supervisor *s, uint32_t index, int fd, int family)
{
	bool short_of_ipv6 = (int32_t)s->state->calls[index].args[2] <
			     (int32_t)offsetof(struct sockaddr_in6, sin6_scope_id);
	if (answer_used(s, index, fd))
		return;
	notify_fail(s->state, index, family == AF_INET6 && short_of_ipv6 ? EINVAL : EAFNOSUPPORT);
}

/* In another network, an access point's contact is another machine, or nobody. Virtual addresses
 * and mapped ones mean the same everywhere. */
static void connect_elsewhere(struct supervisor *s, uint32_t index, const struct route *route)
{
	if (route->name == NONE) {
		notify_pass(s->state, index);
		return;
	}
	log_warn("a connection of process %d to %s is refused: the process is in another network "
		 "namespace, where tunnels are not available; start globus-streams-run inside it, "
		 "or use the machine's network (docker, podman: --network host)",
		 (int)s->state->calls[index].notif.pid, s->state->names[route->name].host);
	notify_fail(s->state, index, ENETUNREACH);
}

/* The address leads somewhere: look at the socket. */
static void connect_matched(struct supervisor *s, uint32_t index, const struct route *route,
			    const union address *asked, int family)
{
	struct call *call = &s->state->calls[index];
	struct facts facts = {0};
	cleanup_socket int fd = target_socket(s->state, call, (int)call->args[0], &facts.identity);
	if (fd < 0) {
		connect_unseen(s, index, fd);
	} else if (!notify_valid(s->state, call)) {
		notify_forget(s->state, index);
	} else if (socket_name(fd, &facts.here, &facts.family) < 0) {
		refuse_socket(s, index, fd);
	} else if ((facts.tcp_state = socket_tcp_state(fd)) == 0) {
		notify_fail(s->state, index, ECONNREFUSED); /* not TCP */
	} else if (supervisor_is_elsewhere(s, call, fd)) {
		connect_elsewhere(s, index, route);
	} else if (family != facts.family) {
		refuse_family(s, index, fd, facts.family);
	} else if (route->kind == ROUTE_NO_PORT) {
		refuse_port(s, index, route, asked);
	} else if (route->kind == ROUTE_REALLY && is_confined(s, call)) {
		refuse_really(s, index, route, asked);
	} else if (supervisor_holds_enough(s, call, facts.identity.uid)) {
		notify_fail(s->state, index, ENOBUFS);
	} else {
		connect_socket(s, index, &fd, &facts, route, asked);
	}
}

/* connect() to no family ends what is running on the socket. */
static void connect_unspec(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	struct identity identity;
	if (s->state->connecting) {
		cleanup_socket int fd =
			target_socket(s->state, call, (int)call->args[0], &identity);
		uint32_t conn = fd < 0 ? NONE : conn_find(s->state, identity.cookie);
		if (conn != NONE && notify_valid(s->state, call)) {
			conn_answer(s, at(s, conn), ECONNABORTED);
			conn_forget(s, conn);
		}
	}
	notify_pass(s->state, index);
}

static void refuse_forgotten(struct supervisor *s, uint32_t index, const union address *asked)
{
	char text[ADDRESS_TEXT];
	const struct call *call = &s->state->calls[index];
	address_format(asked, text);
	if (s->state->programs[call->program].guest)
		log_warn("a connection of process %d to %s is refused: that is a tunnel's address, "
			 "but not of one that this container has",
			 (int)call->notif.pid, text);
	else
		log_warn("a connection of process %d to %s is refused: the previous supervisor may "
			 "have assigned that address to a tunnel; start the command again",
			 (int)call->notif.pid, text);
	notify_fail(s->state, index, ECONNREFUSED);
}

/* A mapped name's real address at a mapped port: its program has not seen ours. A loopback address
 * is another in each network. */
static void refuse_direct(struct supervisor *s, uint32_t index, uint32_t name,
			  const union address *asked)
{
	char text[ADDRESS_TEXT];
	const struct call *call = &s->state->calls[index];
	cleanup_socket int fd = target_descriptor(s->state, call, (int)call->args[0]);
	if (address_is_loopback(asked) && fd >= 0 && supervisor_is_elsewhere(s, call, fd)) {
		notify_pass(s->state, index);
		return;
	}
	address_format(asked, text);
	log_warn("a connection of process %d to %s is refused: that is the real address of %s, and "
		 "would bypass the tunnel; try --hosts, so that the program sees the tunnel's "
		 "address, or allow it with --allow-direct",
		 (int)call->notif.pid, text, s->state->names[name].host);
	notify_fail(s->state, index, ECONNREFUSED);
}

/* It leads into no tunnel. */
static void connect_others(struct supervisor *s, uint32_t index, const union address *asked)
{
	const struct call *call = &s->state->calls[index];
	wake_expect(s, call->program, asked);
	if (s->state->mapped_names)
		real_refresh(s->state);
	uint32_t name = real_find(s->state, &s->state->programs[call->program].reach, asked);
	if (name == NONE || s->state->programs[call->program].allow_direct)
		notify_pass(s->state, index);
	else
		refuse_direct(s, index, name, asked);
}

void connect_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	struct sockaddr_storage raw;
	union address asked;
	int32_t len = (int32_t)call->args[2];

	if (s->state->programs[call->program].only_listens) {
		wake_call(s, index);
		return;
	}
	if (len < (int32_t)sizeof(raw.ss_family) || len > (int32_t)sizeof(raw)) {
		notify_pass(s->state, index);
		return;
	}
	int err = target_read(s->state, call, call->args[1], &raw, (uint32_t)len);
	if (err < 0) {
		blind_answer(s, index, call->args[2], err);
	} else if (raw.ss_family == AF_UNSPEC) {
		connect_unspec(s, index);
	} else if (address_from(&asked, &raw, (size_t)len) < 0) {
		notify_pass(s->state, index);
	} else {
		struct route route =
			route_of(s->state, &s->state->programs[call->program].reach, &asked);
		if (route.kind != ROUTE_NONE)
			connect_matched(s, index, &route, &asked, raw.ss_family);
		else if (route_is_given(s->state, call, &asked))
			refuse_forgotten(s, index, &asked);
		else
			connect_others(s, index, &asked);
	}
}

/* The connection of a process that cannot be inspected, begun when it could be, by the number
 * that its socket had then; NONE. */
static uint32_t begun_as(struct supervisor *s, const struct call *call)
{
	int tid = (int)call->notif.pid, group = 0;
	for (uint32_t i = 0; i < s->state->conn_pool.top; i++) {
		const struct conn *conn = at(s, i);
		if (!conn->slot.used || conn->state >= CONN_INCOMING ||
		    conn->number != (int)call->args[0])
			continue;
		if (!group)
			group = target_group(s->state, tid);
		if (conn->tid == tid || conn->tid == group || conn->group == group)
			return i;
	}
	return NONE;
}

void so_error_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	if (inherit_so_error(s, index))
		return;
	if (s->state->connecting == 0 && !patience_listens(s)) {
		notify_pass(s->state, index);
		return;
	}
	struct identity identity = {0};
	cleanup_socket int fd = target_socket(s->state, call, (int)call->args[0], &identity);
	if (fd == -EBADF || fd == -ENOTSOCK || fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) {
		supervisor_no_descriptor(s, index, fd);
		return;
	}
	uint64_t cookie = identity.cookie;
	uint32_t found = fd < 0 ? begun_as(s, call) : conn_find(s->state, cookie);
	if (found != NONE && at(s, found)->state == CONN_TCP) {
		cookie = at(s, found)->cookie;
		connect_tcp_event(s, found); /* TCP may be up, and its event not have come yet */
		found = conn_find(s->state, cookie);
	}
	if (found == NONE)
		patience_asked_about(s, cookie);
	else if (at(s, found)->state != CONN_TCP)
		patience_asked(s, at(s, found));
	if (found == NONE || at(s, found)->state == CONN_TCP || at(s, found)->state == CONN_DONE ||
	    !notify_valid(s->state, call)) {
		notify_pass(s->state, index);
	} else if (at(s, found)->state == CONN_FAILED) {
		if (!conn_answer_so_error(s, index, at(s, found)->error))
			return;
		if (fd >= 0)
			socket_take_error(fd);
		conn_forget(s, found);
	} else if (supervisor_holds_enough(s, call, at(s, found)->uid)) {
		notify_fail(s->state, index, ENOBUFS);
	} else {
		connect_hold(s, index, CALL_SO_ERROR, found);
	}
}
