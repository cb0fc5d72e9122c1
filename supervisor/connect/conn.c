#include "supervisor/connect/conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/log.h"
#include "supervisor/base/share.h"
#include "supervisor/connect/patience.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/route.h"

#define PEER_TEXT (ADDRESS_TEXT + 32)

uint32_t conn_find(const struct state *state, uint64_t cookie)
{
	uint32_t index = state->buckets[cookie % COOKIE_BUCKETS];
	while (index != NONE && state->conns[index].cookie != cookie)
		index = state->conns[index].next;
	return index;
}

void conn_put(struct state *state, uint32_t index)
{
	struct conn *conn = &state->conns[index];
	uint32_t *first = &state->buckets[conn->cookie % COOKIE_BUCKETS];
	conn->next = *first;
	*first = index;
	state->connecting++;
	conn->share = share_add(state, conn->program, conn->uid, PART_CONNECTS);
}

uint32_t conn_add(struct state *state, uint32_t program, const struct identity *identity, int fd)
{
	uint32_t uid = identity->uid, index = NONE;
	if (!limit_reached(state, LIMIT_CONNECTS, state->connecting) &&
	    !share_full(state, program, uid, PART_CONNECTS, LIMIT_CONNECTS_EACH))
		index = conn_take(state);
	if (index == NONE)
		return NONE;
	struct conn *conn = &state->conns[index];
	conn->cookie = identity->cookie;
	conn->program = program;
	conn->uid = uid;
	conn->fd = fd;
	conn->began = conn->seen = loop_now();
	fault_point("connect.added");
	conn_put(state, index);
	return index;
}

void conn_drop_socket(struct supervisor *s, struct conn *conn)
{
	conn_unwatch(s, conn);
	if (conn->fd >= 0)
		socket_end_handshake(conn);
	chore_cleanup(&(int){steal_fd(&conn->fd)});
	fault_point("connect.closed");
}

void conn_forget(struct supervisor *s, uint32_t index)
{
	struct state *state = s->state;
	struct conn *conn = &state->conns[index];
	uint32_t *at = &state->buckets[conn->cookie % COOKIE_BUCKETS];
	while (*at != index)
		at = &state->conns[*at].next;
	*at = conn->next;
	state->connecting--;
	share_drop(state, conn->share, PART_CONNECTS);
	patience_over(s, conn, false);
	conn_drop_socket(s, conn);
	fault_point("connect.unchained");
	conn_give(state, index);
}

/* How many bytes of the result there is room for, at most those of an int: as the kernel asks. */
static int room_of(struct supervisor *s, const struct call *call, int32_t *room)
{
	int err = target_read(s->state, call, call->args[4], room, sizeof(*room));
	if (err == 0 && *room < 0)
		return -EINVAL;
	if (*room > (int32_t)sizeof(int32_t))
		*room = sizeof(int32_t);
	return err < 0 ? -EFAULT : 0;
}

bool conn_answer_so_error(struct supervisor *s, uint32_t index, int error)
{
	struct call *call = &s->state->calls[index];
	int32_t value = error, room = 0;
	int err = room_of(s, call, &room);
	bool asked = err == 0;
	struct hand_piece result = {call->args[3], &value, (uint32_t)room},
			  size = {call->args[4], &room, sizeof(room)};
	if (err == 0 && target_write_two(s->state, call, result, size) < 0)
		err = -EFAULT;
	fault_point("connect.result-written");
	if (err == 0)
		notify_return(s->state, index, 0);
	else
		notify_fail(s->state, index, -err);
	return asked;
}

bool conn_answer(struct supervisor *s, struct conn *conn, int error)
{
	bool told = false;
	while (conn->calls != NONE) {
		uint32_t index = conn->calls;
		struct call *call = &s->state->calls[index];
		supervisor_release(s, index, &conn->calls);
		fault_point("connect.released");
		if (call->kind == CALL_CONNECT) {
			int said = error ? error : conn->late ? EINPROGRESS : 0;
			told |= (said ? notify_fail(s->state, index, said)
				      : notify_return(s->state, index, 0)) == 0;
		} else if (error && !told && notify_valid(s->state, call)) {
			told |= conn_answer_so_error(s, index, error);
		} else {
			notify_pass(s->state, index); /* as in the kernel: an error is told once */
		}
	}
	return told;
}

static int error_of_connect(int fd)
{
	int err = socket_ask_connect(fd);
	return err == 0 || err == -EAFNOSUPPORT ? ECONNABORTED : -err;
}

void conn_pass(struct supervisor *s, struct conn *conn)
{
	while (conn->calls != NONE) {
		uint32_t index = conn->calls;
		const struct call *call = &s->state->calls[index];
		supervisor_release(s, index, &conn->calls);
		if (call->kind == CALL_CONNECT) /* the address that it names is not the kernel's */
			notify_fail(s->state, index, error_of_connect(conn->fd));
		else
			notify_pass(s->state, index);
	}
}

static bool has_it(struct supervisor *s, const struct conn *conn, int tid)
{
	return target_has_socket(s->state, conn->program, tid, conn->number, conn->cookie);
}

/* Another may have got it, by fork() or SCM_RIGHTS, or it has another number. */
static enum wanted search_for(struct supervisor *s, struct conn *conn)
{
	if (conn->search == SEARCH_NOBODY)
		return UNWANTED;
	if (conn->search == SEARCH_NONE || conn->search == SEARCH_FOUND) {
		conn->inode = socket_inode(conn->fd);
		conn->search = SEARCH_WANTED;
		supervisor_search(s);
	}
	return SEARCHED_FOR;
}

enum wanted conn_wanted(struct supervisor *s, struct conn *conn)
{
	uint64_t now = loop_now();
	if (conn->calls != NONE && now - conn->seen < MILLISECOND)
		return WANTED;
	for (uint32_t call = conn->calls; call != NONE; call = s->state->calls[call].next) {
		if (notify_valid(s->state, &s->state->calls[call])) {
			conn->seen = now;
			return WANTED;
		}
	}
	if (has_it(s, conn, conn->tid) ||
	    (conn->group != conn->tid && has_it(s, conn, conn->group)))
		return WANTED;
	return search_for(s, conn);
}

/* What a user can do about an error. */
static const char *advice(int error)
{
	switch (error) {
	case EACCES:
		return "for a new LAN secret, initialize this environment again with --force";
	case ENETUNREACH:
		return "check the tunnel's state with `globus-streams tunnel show`, and, in a "
		       "container's own network, that it has a route to the access point (docker, "
		       "podman: --network host)";
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ETIMEDOUT:
		return "check with `globus-streams tunnel show` that the tunnel is active, and "
		       "that the listening program is running";
	case EPROTO:
	case ECONNRESET:
		return "check that this is the tunnel's access point: `globus-streams environment "
		       "contact-lookup --refresh` looks up its address";
	case EADDRNOTAVAIL:
		return "have the program bind its socket to an address from which the access point "
		       "can be reached";
	case EAFNOSUPPORT:
		return "have the program use IPv6: the access point has an IPv6 address";
	default:
		return "the program received this error";
	}
}

/* What an event is about; comm gets the program's name. */
static struct log_about about_conn(const struct supervisor *s, const struct conn *conn,
				   char comm[TARGET_COMM])
{
	comm[0] = '\0';
	if (log_is_open())
		target_comm(s->state, conn->tid, comm);
	return (struct log_about){
		.pid = conn->tid,
		.comm = comm,
		.tunnel = conn->tunnel == NONE ? NULL : s->state->tunnels[conn->tunnel].id,
		.connection = conn->cookie};
}

/* Where it connects to, for a message. */
static void describe_peer(const struct conn *conn, char *text, size_t size)
{
	char address[ADDRESS_TEXT] = "address not known yet";
	if (conn->peer.sa.sa_family)
		address_format(&conn->peer, address);
	snprintf(text, size, "%s%s", conn->tunnel == NONE ? "" : "access point ", address);
}

void conn_report(const struct supervisor *s, const struct conn *conn, int error, const char *why)
{
	char to[CONTACT_HOST_MAX + ADDRESS_TEXT], peer[PEER_TEXT];
	route_describe(s->state, conn, to, sizeof(to));
	describe_peer(conn, peer, sizeof(peer));
	char comm[TARGET_COMM];
	struct log_about about = about_conn(s, conn, comm);
	about.error = error;
	log_event(LOG_WARN, &about, "cannot connect to %s (%s): %s; %s", to, peer,
		  why ? why : strerror(error),
		  conn->intruded ? "run the command with --hold-connect" : advice(error));
}

void conn_debug(const struct supervisor *s, const struct conn *conn, const char *what)
{
	char to[CONTACT_HOST_MAX + ADDRESS_TEXT], peer[PEER_TEXT];
	if (!log_debugging())
		return;
	route_describe(s->state, conn, to, sizeof(to));
	describe_peer(conn, peer, sizeof(peer));
	char comm[TARGET_COMM];
	struct log_about about = about_conn(s, conn, comm);
	log_event(LOG_DEBUG, &about, "process %d (%s), connection %llu to %s (%s): %s (%llu us)",
		  conn->tid, comm, (unsigned long long)conn->cookie, to, peer, what,
		  (unsigned long long)((loop_now() - conn->began) / 1000));
}
