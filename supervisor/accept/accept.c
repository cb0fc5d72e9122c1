/*
 * accept(): connections to a tunnel's listening port are taken off the program's own queue, which
 * needs a duplicate of its listening socket, and authenticated in the background. Those that hold
 * the secret are handed over in the order in which they proved it; strangers cost the program
 * nothing.
 *
 *     INCOMING  the handshake runs          READY  authenticated, in its listener's queue
 *     and what follows in give.c
 *
 * A blocking accept() is held; meanwhile the duplicate is kept and watched. A non-blocking one
 * returns EAGAIN where nothing is ready, after a moment if somebody who knows a tunnel's key is
 * about to be, and a bell (bell.h) wakes the program when something is. A
 * connection that was added to a process's table, where the call was interrupted before it was
 * told, is owed to that process's next accept() (owed.h).
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/give.h"
#include "supervisor/accept/incoming.h"
#include "supervisor/accept/listener.h"
#include "supervisor/accept/owed.h"
#include "supervisor/accept/stranger.h"
#include "supervisor/accept/unseen.h"
#include "supervisor/accept/watch.h"
#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/reach.h"
#include "supervisor/base/share.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/tunnel.h"

#define PROMISE  (2 * SECOND)      /* an accept() that follows select() is held at most */
#define PROMISED SECOND            /* from what woke a program to its accept(), at most */
#define MOMENT   (2 * MILLISECOND) /* that a non-blocking accept() is held, at most */

static struct listener *at(struct supervisor *s, uint32_t index)
{
	return &s->state->listeners[index];
}

/* --- the call --- */

/* Was the listener readable when the program called? If a signal has interrupted the call or
 * another supervisor has taken over, what has come since then does not count. */
static void promise(struct supervisor *s, struct call *call, const struct listener *listener)
{
	if (call->known)
		return;
	uint64_t since = loop_now() - listener->took_at;
	call->promised = listener->took != 0 && since < PROMISED && !listener->waits;
	for (uint32_t i = listener->calls; i != NONE; i = s->state->calls[i].next)
		if (s->state->calls[i].notif.pid == call->notif.pid)
			call->promised = s->state->calls[i].promised;
	call->known = true;
}

/* It waits; meanwhile the duplicate is kept and watched. */
static void hold_until(struct supervisor *s, uint32_t call_index, uint32_t index, int *fd,
		       uint64_t deadline)
{
	struct listener *listener = at(s, index);
	if (listener->fd < 0) {
		listener->fd = steal_fd(fd);
		fault_point("accept.watching");
		loop_watch(&s->loop, listener->fd, EPOLLIN, false,
			   supervisor_id(s, OBJECT_LISTENER, index));
	}
	supervisor_hold(s, call_index, CALL_ACCEPT, &listener->calls, index);
	fault_point("accept.held");
	s->state->calls[call_index].deadline = deadline;
	if (deadline)
		loop_at(&s->loop, deadline, supervisor_id(s, OBJECT_CALL, call_index));
}

/* A non-blocking accept() after poll(): no connection is authenticated yet, but one is about to be.
 * The call waits for it for a moment, once for each such connection. */
static bool hold_a_moment(struct supervisor *s, uint32_t call_index, uint32_t index, int *fd)
{
	struct call *call = &s->state->calls[call_index];
	uint32_t conn = incoming_soon(s, index);
	if (at(s, index)->ready.first != NONE) {
		give_ready(s, call_index, index);
		return true;
	}
	if (conn == NONE || supervisor_holds_enough(s, call, at(s, index)->uid))
		return false;
	s->state->conns[conn].awaited = true;
	call->nonblocking = true;
	hold_until(s, call_index, index, fd, loop_now() + MOMENT);
	return true;
}

static void hold(struct supervisor *s, uint32_t call_index, uint32_t index, int *fd)
{
	struct call *call = &s->state->calls[call_index];
	struct listener *listener = at(s, index);
	uint64_t timeout = socket_timeout(*fd, SO_RCVTIMEO);
	promise(s, call, listener);
	if (listener->took == 0 && !listener->reuses)
		listener->waits = true;
	/* with a time limit, the kernel ends an interrupted call (signal(7)) */
	if (timeout && supervisor_interrupted(s, call, &listener->calls)) {
		notify_fail(s->state, call_index, EINTR);
		return;
	}
	if (supervisor_holds_enough(s, call, listener->uid)) {
		notify_fail(s->state, call_index, ENOBUFS);
		return;
	}
	if (call->promised && (!timeout || timeout > PROMISE))
		timeout = PROMISE;
	hold_until(s, call_index, index, fd, timeout ? loop_now() + timeout : 0);
}

static void say_again(struct supervisor *s, uint32_t call, uint32_t listener)
{
	at(s, listener)->took = 0;
	notify_fail(s->state, call, EAGAIN);
}

/* Programs that repeatedly make us wait in accept() are not served any more. */
static void refuse_outlawed(struct supervisor *s, uint32_t call, const struct listener *listener)
{
	log_warn("accept on port %u is refused: programs of uid %u have blocked the supervisor by "
		 "changing O_NONBLOCK, or share the socket with a process that is not supervised; "
		 "restart them",
		 (unsigned)address_port(&listener->bound), (unsigned)listener->uid);
	supervisor_refuse(s, call, EACCES);
}

static void accept_on(struct supervisor *s, uint32_t call, uint32_t index, int *fd)
{
	listener_learn(at(s, index), *fd);
	if (incoming_drain(s, index, *fd, AT_A_TIME) == -EINVAL) {
		notify_fail(s->state, call, EINVAL); /* it does not listen any more */
		return;
	}
	if (share_outlawed(s->state, at(s, index)->share)) {
		refuse_outlawed(s, call, at(s, index));
		return;
	}
	uint32_t ready = listener_with_ready(s, index);
	if (at(s, index)->owed && give_owed(s, call, index))
		;
	else if (ready != NONE)
		give_ready(s, call, ready);
	else if (!socket_is_nonblocking(*fd))
		hold(s, call, index, fd);
	else if (!hold_a_moment(s, call, index, fd))
		say_again(s, call, index);
	if (ready != NONE && ready != index) {
		accept_offer(s, ready);
		listener_tidy(s, ready);
	}
	accept_offer(s, index);
	give_promised(s, index, false);
	listener_tidy(s, index);
}

/* The access point cannot reach it there; connections to it would not be authenticated. */
static void refuse_network(struct supervisor *s, uint32_t call, const union address *bound)
{
	log_warn("accept on port %u is refused: the program listens in another network namespace, "
		 "which the access point cannot reach; start globus-streams-run inside it",
		 (unsigned)address_port(bound));
	notify_fail(s->state, call, EACCES);
}

/* A call on a socket at a tunnel's port. What the kernel would refuse is refused here: another
 * thread may make it right in between. */
static void accept_of_tunnel(struct supervisor *s, uint32_t call, int *fd, uint64_t cookie,
			     const union address *bound)
{
	int32_t flags = (int32_t)s->state->calls[call].args[3];
	uint32_t index = listener_find(s->state, cookie, bound);
	bool learnt = index != NONE && at(s, index)->learnt;
	if (!learnt && !socket_is_tcp(*fd)) {
		notify_pass(s->state, call);
		return;
	}
	if (!learnt && supervisor_is_elsewhere(s, &s->state->calls[call], *fd)) {
		refuse_network(s, call, bound);
		return;
	}
	if ((flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) || (!learnt && !socket_is_listening(*fd))) {
		notify_fail(s->state, call, EINVAL);
		return;
	}
	if (!notify_valid(s->state, &s->state->calls[call])) {
		notify_forget(s->state, call);
		return;
	}
	index = listener_find_or_add(s, &s->state->calls[call], *fd, cookie, bound);
	if (index == NONE)
		notify_fail(s->state, call, ENOBUFS);
	else
		accept_on(s, call, index, fd);
}

/* Does the socket belong to programs that other tunnels are open to? What is queued for them is not
 * this one's. */
static bool is_anothers(const struct supervisor *s, const struct call *call, uint64_t cookie)
{
	uint32_t listener = listener_find(s->state, cookie, NULL);
	return listener != NONE && !reach_same(&s->state->listeners[listener].reach,
					       &s->state->programs[call->program].reach);
}

static void refuse_anothers(struct supervisor *s, uint32_t index, const union address *bound)
{
	log_warn("accept on port %u by process %d is refused: the socket belongs to a program that "
		 "has other tunnels",
		 (unsigned)address_port(bound), (int)s->state->calls[index].notif.pid);
	supervisor_refuse(s, index, EACCES);
}

void accept_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	union address bound;
	struct identity identity;
	cleanup_socket int fd = target_socket(s->state, call, (int)call->args[0], &identity);
	int err = fd < 0 ? fd : socket_name(fd, &bound, NULL);
	if (fd < 0)
		unseen_accept(s, index, fd);
	else if (err == 0 && is_anothers(s, call, identity.cookie))
		refuse_anothers(s, index, &bound);
	else if (err == 0 && tunnel_port_secured(s->state, &s->state->programs[call->program].reach,
						 address_port(&bound)))
		accept_of_tunnel(s, index, &fd, identity.cookie, &bound);
	else if (err < 0 && socket_is_tcp(fd))
		notify_fail(s->state, index, ECONNABORTED); /* it may be a tunnel's */
	else
		notify_pass(s->state, index);
}

/* --- events --- */

void accept_event(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	uint32_t listener = conn->listener;
	if (conn->state == CONN_INJECTED)
		owed_event(s, index);
	if (conn->state != CONN_INCOMING)
		return;
	incoming_drive(s, index);
	accept_offer(s, listener);
	give_promised(s, listener, false);
	listener_tidy(s, listener);
}

/* --- taking over: recover.c has found the objects and put the calls in their lists --- */

void accept_recover_conn(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	if (conn->state == CONN_READY)
		listener_requeue(s, index);
	else if (conn->state == CONN_INJECTED)
		give_recover_injected(s, index);
	else if (conn->state == CONN_TELLING)
		give_recover_telling(s, index);
	else if (conn->state == CONN_DEAD)
		listener_drop_conn(s, index);
	else
		stranger_add(s->state, index);
}

void accept_recover_listener(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, index);
	if (listener->fd >= 0)
		loop_watch(&s->loop, listener->fd, EPOLLIN, false,
			   supervisor_id(s, OBJECT_LISTENER, index));
	if (listener->bell >= 0)
		loop_watch(&s->loop, listener->bell, EPOLLRDHUP, false,
			   supervisor_id(s, OBJECT_BELL, index));
	if (listener->fd >= 0)
		watch_listener(s, index, listener->fd);
	accept_offer(s, index);
	listener_tidy(s, index);
	accept_arrived(s, index); /* what has come meanwhile is not told again */
}

void accept_deadline(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	uint32_t listener = conn->listener;
	if (conn->state == CONN_DEAD) {
		incoming_dead_over(s, index);
		return;
	}
	if (conn->state != CONN_INCOMING || incoming_goes_on(s, index))
		return;
	if (!conn->own)
		incoming_report(s, conn, "it did not authenticate in time");
	incoming_drop(s, index);
	accept_offer(s, listener);
	give_promised(s, listener, false);
	listener_tidy(s, listener);
}

void accept_call_deadline(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	uint32_t listener = call->owner;
	if (call->promised) {
		incoming_end_one(s, listener);
		give_promised(s, listener, true);
	}
	if (call->slot.used && call->state == CALL_HELD && call->owner == listener &&
	    call->deadline) {
		bool limited =
			call->nonblocking || socket_timeout(at(s, listener)->fd, SO_RCVTIMEO) != 0;
		if (limited) {
			supervisor_release(s, index, &at(s, listener)->calls);
			say_again(s, index, listener);
		} else {
			call->deadline = 0; /* nothing had come: wait on */
		}
	}
	accept_offer(s, listener);
	listener_tidy(s, listener);
}

void accept_listener_event(struct supervisor *s, uint32_t index)
{
	if (at(s, index)->fd < 0)
		return; /* an event of the same batch ended the hold */
	int err = incoming_drain(s, index, at(s, index)->fd, 1); /* the loop tells of more */
	while (share_outlawed(s->state, at(s, index)->share) && at(s, index)->calls != NONE) {
		uint32_t call = at(s, index)->calls;
		supervisor_release(s, call, &at(s, index)->calls);
		refuse_outlawed(s, call, at(s, index));
	}
	if (err == -EINVAL) {
		/* shutdown() of a listening socket ends every accept() on it */
		while (at(s, index)->calls != NONE) {
			uint32_t call = at(s, index)->calls;
			supervisor_release(s, call, &at(s, index)->calls);
			notify_fail(s->state, call, EINVAL);
		}
	} else if (err < 0) {
		if (err != -EBUSY)
			log_warn("connections to port %u have to wait: %s",
				 (unsigned)address_port(&at(s, index)->bound), strerror(-err));
		loop_unwatch(&s->loop, at(s, index)->fd); /* until the next sweep */
		supervisor_sweep_later(s);
	}
	accept_offer(s, index);
	give_promised(s, index, false);
	listener_tidy(s, index);
}
