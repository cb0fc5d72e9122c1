/*
 * accept(): connections to a tunnel's listening port are taken off the program's own queue, which
 * needs a duplicate of its listening socket, and authenticated in the background. Those that hold
 * the secret are handed over in the order in which they proved it; strangers cost the program
 * nothing.
 *
 *     INCOMING  the handshake runs          READY  authenticated, in its listener's queue
 *     INJECTED  in the program's table, under a number that it has not been told yet
 *     TELLING   it is being told
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

#include "supervisor/address.h"
#include "supervisor/bell.h"
#include "supervisor/chore.h"
#include "supervisor/conn.h"
#include "supervisor/fault.h"
#include "supervisor/fd.h"
#include "supervisor/incoming.h"
#include "supervisor/listener.h"
#include "supervisor/log.h"
#include "supervisor/notify.h"
#include "supervisor/owed.h"
#include "supervisor/share.h"
#include "supervisor/socket.h"
#include "supervisor/stranger.h"
#include "supervisor/target.h"
#include "supervisor/tunnel.h"
#include "supervisor/unseen.h"
#include "supervisor/work.h"

#define PROMISE    (2 * SECOND)      /* an accept() that follows select() is held at most */
#define PROMISED   SECOND            /* from what woke a program to its accept(), at most */
#define MOMENT     (2 * MILLISECOND) /* that a non-blocking accept() is held, at most */
#define OWED       64                /* of those owed, so many are looked at for one call */
#define SLOW       (60 * SECOND) /* that a launch is known as slow to take what it is given … */
#define SLOW_TIMES 3             /* … after so many times … */
#define SLOW_APART (10 * SECOND) /* … at most so far apart */

static struct listener *at(struct supervisor *s, uint32_t index)
{
	return &s->state->listeners[index];
}

/* --- handing over --- */

/* The peer's address where accept() wants it: 0 or -errno. */
static int write_peer(struct supervisor *s, const struct call *call, const struct conn *conn,
		      int family)
{
	union address peer = conn->peer;
	int32_t room, len;
	if (call->args[1] == 0)
		return 0;
	address_for_socket(&peer, family);
	len = (int32_t)address_len(&peer);
	int err = target_read(s->state, call, call->args[2], &room, sizeof(room));
	if (err == 0 && room < 0)
		err = -EINVAL;
	if (err < 0)
		return err;
	struct hand_piece address = {call->args[1], &peer, (uint32_t)(room < len ? room : len)},
			  size = {call->args[2], &len, sizeof(len)};
	return target_write_two(s->state, call, address, size);
}

/* It is in the program's table: tell it the number. Our own descriptor is closed right after that:
 * a program that closes its one at once has its peer see that some microseconds later, which gives
 * way to one that ends before it is told. */
static void tell(struct supervisor *s, uint32_t call, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	uint32_t listener = conn->listener;
	conn->calls = call;
	conn->tid = (int)s->state->calls[call].notif.pid;
	atomic_signal_fence(memory_order_seq_cst);
	conn->state = CONN_TELLING;
	fault_point("accept.telling");
	if (notify_return(s->state, call, conn->number) < 0) {
		conn->state = CONN_INJECTED;
		log_debug("accept was interrupted: descriptor %d is owed", conn->number);
		owed_begin(s, index);
		bell_ring(s, listener); /* it may go back to poll() */
		return;
	}
	fault_point("accept.told");
	chore_cleanup(&(int){steal_fd(&conn->fd)}); /* it may linger */
	fault_point("accept.closed");
	s->state->counters.accepts++;
	owed_end(s, index);
	conn_give(s->state, index);
	fault_point("accept.given");
}

/* It was accepted without, but a call that was interrupted may have set it. */
static void set_nonblocking(struct conn *conn, bool on)
{
	if (!on && !conn->nonblocking)
		return;
	conn->nonblocking = true;
	fcntl(conn->fd, F_SETFL, on ? O_NONBLOCK : 0);
}

static void back_to_queue(struct supervisor *s, uint32_t index)
{
	uint32_t listener = s->state->conns[index].listener;
	owed_end(s, index);
	listener_queue_first(s, listener, index);
}

static void injected(struct supervisor *s, uint32_t call, uint32_t index, int number)
{
	struct conn *conn = &s->state->conns[index];
	if (number < 0) {
		back_to_queue(s, index);
		notify_fail(s->state, call, -number); /* -ENOENT: it is gone, and this too */
		return;
	}
	conn->number = number;
	fault_point("accept.numbered");
	tell(s, call, index);
}

/* A thread that does not get to run has us wait until the watchdog interrupts that. On a busy
 * machine this happens once in a while; to whom it happens often, others do not wait. */
static void note_slow(struct program *program)
{
	uint64_t now = loop_now();
	if (program->slow_at + SLOW_APART < now)
		program->slow_times = 0;
	program->slow_at = now;
	if (++program->slow_times >= SLOW_TIMES)
		program->slow_until = now + SLOW;
}

/* No place for a chore: both wait until there is one. */
static void wait_for_place(struct supervisor *s, uint32_t call, uint32_t index)
{
	uint32_t listener = s->state->conns[index].listener;
	back_to_queue(s, index);
	at(s, listener)->stalled = true;
	supervisor_hold(s, call, CALL_ACCEPT, &at(s, listener)->calls, listener);
}

static void inject(struct supervisor *s, uint32_t call_index, uint32_t index)
{
	struct call *call = &s->state->calls[call_index];
	struct conn *conn = &s->state->conns[index];
	struct program *program = &s->state->programs[call->program];
	bool cloexec = call->args[3] & SOCK_CLOEXEC;
	int number = -EINTR;
	if (program->slow_until < loop_now()) {
		number = notify_inject(program->notify_fd, call->notif.id, conn->fd, cloexec);
		if (number == -EINTR)
			note_slow(program);
	}
	fault_point("accept.injected");
	if (number != -EINTR)
		injected(s, call_index, index, number);
	else if (chore_inject(s->state, index, conn->fd, call_index, cloexec) < 0)
		wait_for_place(s, call_index, index);
	/* else accept_injected() goes on */
}

/* Hand the oldest ready connection of a listener to a call, which is in no list; it is answered, or
 * gone, or a chore is about it. */
static void deliver_to(struct supervisor *s, uint32_t call_index, uint32_t listener)
{
	struct call *call = &s->state->calls[call_index];
	uint32_t index = at(s, listener)->ready.first;
	struct conn *conn = &s->state->conns[index];
	int err = write_peer(s, call, conn, at(s, listener)->family);
	if (err < 0) {
		notify_fail(s->state, call_index, -err == EPERM ? EFAULT : -err);
		return;
	}
	/* from here on it may be in that table: whoever takes over looks there */
	fault_point("accept.address-written");
	listener_unqueue_first(s, listener);
	fault_point("accept.unqueued");
	listener_owe(s, index);
	at(s, listener)->took = 0;
	conn->tid = (int)call->notif.pid;
	conn->number = -1;
	conn->cookie = socket_cookie(conn->fd);
	conn->state = CONN_INJECTED;
	fault_point("accept.injecting");
	set_nonblocking(conn, call->args[3] & SOCK_NONBLOCK);
	if (conn->linger.l_onoff)
		socket_set_linger(conn->fd, conn->linger);
	inject(s, call_index, index);
}

/* Whatever we are at, this is that program's. */
static void deliver(struct supervisor *s, uint32_t call, uint32_t listener)
{
	struct work_item before = work_on_call(s->state, call);
	deliver_to(s, call, listener);
	work_go_on(s->state, before);
}

/* What is owed to the process of this call: true if that answers it. */
static bool deliver_owed(struct supervisor *s, uint32_t call_index, uint32_t listener)
{
	struct call *call = &s->state->calls[call_index];
	uint32_t owed = at(s, listener)->owed;
	for (uint32_t left = owed < OWED ? owed : OWED; left; left--) {
		uint32_t i = listener_next_owed(s, listener);
		struct conn *conn = &s->state->conns[i];
		if (conn->number < 0)
			continue; /* a chore is about it */
		cleanup_socket int fd = target_descriptor(s->state, call, conn->number);
		if (fd < 0 || socket_cookie(fd) != conn->cookie)
			continue;
		if (write_peer(s, call, conn, at(s, listener)->family) < 0)
			continue;
		tell(s, call_index, i);
		return true;
	}
	return false;
}

void accept_offer(struct supervisor *s, uint32_t index)
{
	while (at(s, index)->calls != NONE && at(s, index)->ready.first != NONE &&
	       !at(s, index)->stalled) {
		uint32_t call = at(s, index)->calls;
		supervisor_release(s, call, &at(s, index)->calls);
		deliver(s, call, index);
	}
	bell_ring(s, index);
}

/* An accept() that was promised a connection gets the dead one once there is no hope of another. */
static void keep_promises(struct supervisor *s, uint32_t index, bool at_once)
{
	struct listener *listener = at(s, index);
	uint32_t call = listener->calls;
	while (call != NONE && !s->state->calls[call].promised)
		call = s->state->calls[call].next;
	if (call == NONE || listener->ready.first != NONE || listener->dead == NONE ||
	    (listener->incoming && !at_once))
		return;
	listener_queue_first(s, index, listener->dead);
	listener->dead = NONE;
	supervisor_release(s, call, &listener->calls);
	deliver(s, call, index);
}

/* It is in that process's table, and nobody is there to be told. */
static void owe(struct supervisor *s, uint32_t index, int number)
{
	struct conn *conn = &s->state->conns[index];
	conn->number = number;
	owed_begin(s, index);
}

/* A chore has put it there, or has not. The call may have been looked at anew meanwhile, by another
 * supervisor. */
void accept_injected(struct supervisor *s, struct chore *chore)
{
	struct conn *conn = &s->state->conns[chore->conn];
	struct call *call = &s->state->calls[chore->call];
	if (!conn->slot.used || conn->slot.gen != chore->gen || conn->state != CONN_INJECTED ||
	    conn->number >= 0) {
		if (call->slot.used && call->notif.id == chore->id && call->state == CALL_RECEIVED)
			notify_fail(s->state, chore->call, ECONNABORTED);
		return;
	}
	if (!call->slot.used || call->notif.id != chore->id) {
		call = NULL;
	} else if (call->state == CALL_HELD) {
		supervisor_release(s, chore->call, supervisor_list_of(s, call));
	}
	uint32_t listener = conn->listener;
	at(s, listener)->stalled = false; /* there is a place now */
	if (call)
		injected(s, chore->call, chore->conn, chore->result);
	else if (chore->result >= 0)
		owe(s, chore->conn, chore->result);
	else
		back_to_queue(s, chore->conn);
	accept_offer(s, listener);
	listener_tidy(s, listener);
}

/* --- the call --- */

/* Was the listener readable when the program called? What has come since does not count, where a
 * signal has taken the call back or another supervisor looks at it. */
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

/* poll() has called for a non-blocking accept(), and nobody who knows us has proved himself yet,
 * but one is about to: once for each of those it waits a moment. */
static bool hold_a_moment(struct supervisor *s, uint32_t call_index, uint32_t index, int *fd)
{
	struct call *call = &s->state->calls[call_index];
	uint32_t conn = incoming_soon(s, index);
	if (at(s, index)->ready.first != NONE) {
		deliver(s, call_index, index);
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

/* Whoever makes us wait in accept() again and again gets nothing more done. */
static void refuse_outlawed(struct supervisor *s, uint32_t call, const struct listener *listener)
{
	log_warn("accept on port %u is refused: programs of uid %u have made the supervisor wait "
		 "in it by changing O_NONBLOCK, or share the socket with a process that is not "
		 "supervised; start them again",
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
	if (at(s, index)->owed && deliver_owed(s, call, index))
		;
	else if (ready != NONE)
		deliver(s, call, ready);
	else if (!socket_is_nonblocking(*fd))
		hold(s, call, index, fd);
	else if (!hold_a_moment(s, call, index, fd))
		say_again(s, call, index);
	if (ready != NONE && ready != index) {
		accept_offer(s, ready);
		listener_tidy(s, ready);
	}
	accept_offer(s, index);
	keep_promises(s, index, false);
	listener_tidy(s, index);
}

/* The access point cannot reach it there; whoever does would not be authenticated. */
static void refuse_network(struct supervisor *s, uint32_t call, const union address *bound)
{
	log_warn("accept on port %u is refused: the program listens in another network namespace, "
		 "where the access point does not reach it; start globus-streams-run in there",
		 (unsigned)address_port(bound));
	notify_fail(s->state, call, EACCES);
}

/* A call on a socket at a tunnel's port. What the kernel would refuse is refused here: another
 * thread may make it right in between. */
static void accept_of_tunnel(struct supervisor *s, uint32_t call, int *fd,
			     const union address *bound)
{
	int32_t flags = (int32_t)s->state->calls[call].args[3];
	uint64_t cookie = socket_cookie(*fd);
	uint32_t index = listener_find(s->state, cookie, bound);
	bool learnt = index != NONE && at(s, index)->learnt;
	if (!learnt && !socket_is_tcp(*fd)) {
		notify_pass(s->state, call);
		return;
	}
	if (!learnt && s->netns && socket_netns(*fd) != s->netns) {
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

void accept_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	union address bound;
	cleanup_socket int fd = target_descriptor(s->state, call, (int)call->args[0]);
	int err = fd < 0 ? fd : socket_name(fd, &bound, NULL);
	if (fd < 0)
		unseen_accept(s, index, fd);
	else if (err == 0 && tunnel_port_secured(s->state, address_port(&bound)))
		accept_of_tunnel(s, index, &fd, &bound);
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
	keep_promises(s, listener, false);
	listener_tidy(s, listener);
}

/* --- taking over: recover.c has found the objects and put the calls in their lists --- */

/* Was the program told? The kernel cannot say afterwards; but while the call still waits it was
 * not, and a call that is gone was answered, save where a signal came in the same microsecond. */
static void recover_telling(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	const struct call *call = conn->calls == NONE ? NULL : &s->state->calls[conn->calls];
	if (call && call->slot.used && (int)call->notif.pid == conn->tid &&
	    notify_valid(s->state, call)) {
		conn->state = CONN_INJECTED;
		owed_recover(s, index);
		return;
	}
	close_fd(&conn->pidfd);
	chore_cleanup(&(int){steal_fd(&conn->fd)}); /* the program's, as it is */
	conn_give(s->state, index);
}

/* Where the connection may be in a program's table already: its number there, or back to the queue.
 */
static void recover_injected(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	if (chore_injects(s->state, index)) {
		listener_owe(s, index);
		return; /* accept_injected() goes on */
	}
	if (conn->number < 0)
		conn->number = target_find_socket(s->state, conn->tid, conn->fd);
	if (conn->number >= 0)
		owed_recover(s, index);
	else
		listener_queue_first(s, conn->listener, index);
}

void accept_recover_conn(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	if (conn->state == CONN_READY)
		listener_requeue(s, index);
	else if (conn->state == CONN_INJECTED)
		recover_injected(s, index);
	else if (conn->state == CONN_TELLING)
		recover_telling(s, index);
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
	if (conn->state != CONN_INCOMING)
		return;
	incoming_report(s, conn, "it did not authenticate in time");
	incoming_drop(s, index);
	keep_promises(s, listener, false);
	listener_tidy(s, listener);
}

void accept_call_deadline(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	uint32_t listener = call->owner;
	if (call->promised) {
		incoming_end_one(s, listener);
		keep_promises(s, listener, true);
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
			log_warn("connections wait: %s", strerror(-err));
		loop_unwatch(&s->loop, at(s, index)->fd); /* until the next sweep */
		supervisor_sweep_later(s);
	}
	accept_offer(s, index);
	keep_promises(s, index, false);
	listener_tidy(s, index);
}
