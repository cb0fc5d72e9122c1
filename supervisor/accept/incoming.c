#include "supervisor/accept/incoming.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/accept/bell.h"
#include "supervisor/accept/listener.h"
#include "supervisor/accept/stranger.h"
#include "supervisor/accept/wake.h"
#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/log.h"
#include "supervisor/base/refusal.h"
#include "supervisor/base/share.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/lan.h"

#define HANDSHAKE (10 * SECOND)
#define OWN       (20 * MILLISECOND)  /* that one of our own programs' has, to say HELLO */
#define HEARD     16                  /* at most before one of them is dropped */
#define LAST      8                   /* of those that came last, so many are looked at */
#define KEPT      (3 * SECOND)        /* a dead one, for an accept() that is promised one */
#define REST      (250 * MILLISECOND) /* between two accept()s on a socket where one has blocked */

static struct listener *at(struct supervisor *s, uint32_t index)
{
	return &s->state->listeners[index];
}

static void drop_dead(struct supervisor *s, uint32_t listener)
{
	if (at(s, listener)->dead != NONE)
		listener_drop_conn(s, at(s, listener)->dead);
	at(s, listener)->dead = NONE;
}

/* The accept() that was promised a connection gets this one, shut down. */
static void keep_dead(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	conn->state = CONN_DEAD;
	fault_point("accept.dead");
	drop_dead(s, conn->listener);
	at(s, conn->listener)->dead = index;
	conn->deadline = loop_now() + KEPT;
	loop_at(&s->loop, conn->deadline, supervisor_id(s, OBJECT_CONN, index));
}

void incoming_drop(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	stranger_remove(s->state, index);
	conn_unwatch(s, conn);
	fault_point("accept.refusing");
	socket_empty(conn->fd); /* not a byte of it is for the program */
	conn->deadline = 0;
	if (conn->own && conn->tunnel == NONE && wake_take(s, index))
		return;
	keep_dead(s, index);
}

void incoming_report(struct supervisor *s, const struct conn *conn, const char *why)
{
	char peer[ADDRESS_TEXT];
	address_format(&conn->peer, peer);
	refusal_count(s->state, conn, 0);
	struct log_about about = {.connection = socket_cookie(conn->fd)};
	log_event(LOG_INFO, &about, "connection %llu from %s to port %u refused: %s",
		  (unsigned long long)about.connection, peer,
		  (unsigned)address_port(&at(s, conn->listener)->address), why);
	if (conn->la.received == 0)
		return; /* a look at the port, not an attempt */
	/* the source port changes with each; a line for each host is enough */
	union address host = conn->peer;
	address_set_port(&host, 0);
	address_format(&host, peer);
	*strrchr(peer, ':') = '\0';
	log_warn("refused a connection from %s to port %u: %s", peer,
		 (unsigned)address_port(&at(s, conn->listener)->address), why);
}

static void tell_authenticated(const struct supervisor *s, const struct conn *conn)
{
	char peer[ADDRESS_TEXT];
	if (!log_debugging())
		return;
	struct log_about about = {.connection = socket_cookie(conn->fd),
				  .tunnel = s->state->tunnels[conn->tunnel].id};
	address_format(&conn->peer, peer);
	log_event(LOG_DEBUG, &about, "connection %llu from %s authenticated (%llu us)",
		  (unsigned long long)about.connection, peer,
		  (unsigned long long)((loop_now() - conn->began) / 1000));
}

void incoming_drive(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	uint32_t listener = conn->listener, events = 0;
	const char *why = NULL;
	int err = lan_drive(s->state, conn, &events, &why);
	if (!conn->talks && conn->la.received)
		stranger_talks(s->state, index);
	if (err == -EAGAIN) {
		conn_watch(s, index, events);
	} else if (err < 0) {
		incoming_report(s, conn, why);
		incoming_drop(s, index);
	} else {
		conn_unwatch(s, conn);
		socket_end_handshake(conn);
		conn->deadline = 0;
		stranger_remove(s->state, index);
		fault_point("accept.authenticated");
		tell_authenticated(s, conn);
		listener_queue(s, listener, index);
	}
}

/* Has it sent something that was not read yet? */
static bool is_unheard(const struct supervisor *s, uint32_t index)
{
	return index != NONE && !s->state->conns[index].talks &&
	       socket_has_bytes(s->state->conns[index].fd);
}

/* Those that have not sent HELLO do not count: otherwise anybody could make every accept() wait. */
uint32_t incoming_soon(struct supervisor *s, uint32_t listener)
{
	struct conn *conns = s->state->conns;
	uint32_t before, i = at(s, listener)->strangers[0].last;
	for (int looks = 0; i != NONE && looks < LAST; looks++, i = before) {
		before = conns[i].links[LINK_LISTENER].previous;
		if (is_unheard(s, i))
			incoming_drive(s, i);
	}
	i = at(s, listener)->strangers[1].last;
	for (int looks = 0; i != NONE && looks < LAST; looks++) {
		if (conns[i].tunnel != NONE && !conns[i].awaited)
			return i;
		i = conns[i].links[LINK_LISTENER].previous;
	}
	return NONE;
}

/* An old connection that proves nothing is dropped, not the new one, which may be honest and soon
 * authenticated. */
static void drop_oldest(struct supervisor *s, const struct list strangers[2])
{
	uint32_t index = stranger_oldest(strangers);
	for (int heard = 0; heard < HEARD && is_unheard(s, index); heard++) {
		incoming_drive(s, index);
		index = stranger_oldest(strangers);
	}
	if (index == NONE)
		return;
	s->state->counters.refused[REFUSED_FULL]++;
	log_warn("too many unauthenticated connections: the oldest was dropped");
	incoming_drop(s, index);
}

static void make_room(struct supervisor *s, uint32_t listener, uint32_t from)
{
	struct state *state = s->state;
	const struct source *source = &state->sources[from];
	if (limit_reached(state, LIMIT_STRANGERS_ADDRESS, source->count))
		drop_oldest(s, source->strangers);
	if (limit_reached(state, LIMIT_STRANGERS_EACH, at(s, listener)->incoming))
		drop_oldest(s, at(s, listener)->strangers);
	if (limit_reached(state, LIMIT_STRANGERS, state->strangers_now))
		drop_oldest(s, state->strangers);
}

static void take_in(struct supervisor *s, uint32_t listener, int *fd, const union address *peer)
{
	const struct linger linger = socket_linger(*fd);
	if (linger.l_onoff) /* no stranger may have us wait for him */
		socket_set_linger(*fd, (struct linger){0});
	uint32_t source = stranger_source(s->state, peer);
	make_room(s, listener, source);
	uint32_t index = conn_take(s->state);
	if (index == NONE) {
		s->state->counters.refused[REFUSED_FULL]++;
		log_warn("too many connections: one was dropped before it could authenticate");
		return;
	}
	struct conn *conn = &s->state->conns[index];
	conn->state = CONN_INCOMING;
	conn->peer = *peer;
	conn->source = source;
	conn->listener = listener;
	conn->linger = linger;
	conn->began = loop_now();
	conn->deadline = conn->began + HANDSHAKE;
	if (lan_begin_answerer(conn) < 0) {
		conn_give(s->state, index);
		return;
	}
	/* the descriptor makes it whole; for a moment it has two owners, never none */
	atomic_signal_fence(memory_order_seq_cst);
	fault_point("accept.filled");
	conn->fd = *fd;
	fault_point("accept.recorded");
	steal_fd(fd);
	stranger_add(s->state, index);
	supervisor_sweep_later(s);
	conn->own = wake_may_be(s, conn);
	if (conn->own)
		conn->deadline = conn->began + OWN;
	at(s, listener)->took++;
	at(s, listener)->took_at = conn->began;
	if (at(s, listener)->odd)
		socket_begin_handshake(conn);
	loop_at(&s->loop, conn->deadline, supervisor_id(s, OBJECT_CONN, index));
	conn_watch(s, index, EPOLLIN | EPOLLRDHUP); /* HELLO is hardly ever there so soon */
}

/* A bell arrived after the connection that it rang for had been handed over. It may have woken the
 * program, which would then wait in accept() for ever: so accept() returns the bell. */
static void take_in_bell(struct supervisor *s, uint32_t index, int *fd, const union address *peer)
{
	struct listener *listener = at(s, index);
	listener->took++;
	listener->took_at = loop_now();
	uint32_t dead = listener->dead == NONE ? conn_take(s->state) : NONE;
	if (dead == NONE)
		return;
	struct conn *conn = &s->state->conns[dead];
	conn->state = CONN_DEAD;
	conn->peer = *peer;
	conn->listener = index;
	atomic_signal_fence(memory_order_seq_cst);
	conn->fd = steal_fd(fd);
	socket_empty(conn->fd); /* whoever else has called from that port gets no byte through */
	socket_take_error(conn->fd); /* it has been reset: its program reads an end */
	keep_dead(s, dead);
}

static void take_in_any(struct supervisor *s, uint32_t listener, int *fd, const union address *peer)
{
	bool late = !at(s, listener)->owed && listener_with_ready(s, listener) == NONE;
	if (!bell_take(s, peer))
		take_in(s, listener, fd, peer);
	else if (late)
		take_in_bell(s, listener, fd, peer);
}

/* accept() has blocked: a program whose threads change O_NONBLOCK and accept connections at the
 * same time can make it block as often as we call it. */
static int rest(struct supervisor *s, struct listener *listener)
{
	listener->rests_until = loop_now() + REST;
	share_contest(s->state, listener->share);
	log_debug("accept() on port %u blocked: another process accepts connections there",
		  (unsigned)address_port(&listener->bound));
	return -EBUSY;
}

static int take_queued(struct supervisor *s, uint32_t listener, int listening, int most)
{
	if (at(s, listener)->rests_until > loop_now() ||
	    share_outlawed(s->state, at(s, listener)->share))
		return -EBUSY;
	for (int i = 0; i < most; i++) {
		if (!socket_has_connection(listening))
			return 0;
		/* a program that accepts none: they wait in the kernel, as without us */
		if (listener_has_enough(s, listener))
			return 0;
		union address peer;
		s->state->accepting = listener;
		fault_point("accept.accepting");
		cleanup_fd int fd = socket_accept(listening, &peer);
		fault_point("accept.accepted");
		if (fd == -EAGAIN)
			return 0;
		if (fd == -EINTR)
			return rest(s, at(s, listener));
		if (fd == -EINVAL)
			return fd;
		if (fd < 0) { /* an error of that connection, or no descriptors: accept(2) */
			log_debug("accept() on port %u failed: %s",
				  (unsigned)address_port(&at(s, listener)->bound), strerror(-fd));
			if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM)
				return fd;
			continue;
		}
		take_in_any(s, listener, &fd, &peer);
	}
	return 1;
}

int incoming_drain(struct supervisor *s, uint32_t listener, int listening, int most)
{
	int err = take_queued(s, listener, listening, most);
	s->state->accepting = NONE;
	return err;
}

void incoming_dead_over(struct supervisor *s, uint32_t index)
{
	uint32_t listener = s->state->conns[index].listener;
	if (at(s, listener)->dead == index)
		drop_dead(s, listener);
}

bool incoming_goes_on(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	bool more = conn->own && conn->tunnel != NONE;
	if (!more)
		return false;
	conn->own = false;
	conn->deadline = conn->began + HANDSHAKE;
	loop_at(&s->loop, conn->deadline, supervisor_id(s, OBJECT_CONN, index));
	return true;
}

void incoming_end_one(struct supervisor *s, uint32_t listener)
{
	uint32_t oldest = stranger_oldest(at(s, listener)->strangers);
	if (at(s, listener)->dead == NONE && oldest != NONE)
		incoming_drop(s, oldest);
}

void incoming_resume(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	loop_at(&s->loop, conn->deadline, supervisor_id(s, OBJECT_CONN, index));
	if (at(s, conn->listener)->odd)
		socket_begin_handshake(conn);
	if (lan_resume(conn) < 0) {
		incoming_report(s, conn, "data other than the handshake was transferred");
		incoming_drop(s, index);
	} else {
		incoming_drive(s, index);
	}
}

void incoming_stray(struct supervisor *s, int fd)
{
	union address peer;
	uint32_t listener = s->state->accepting;
	if (socket_peer(fd, &peer) < 0)
		memset(&peer, 0, sizeof(peer));
	take_in_any(s, listener, &fd, &peer);
	if (fd >= 0)
		close(fd);
}
