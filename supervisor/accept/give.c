/*
 * A connection that has proved itself is handed to a call of accept(): the peer's address is
 * written, the socket added to the program's table, and its number told.
 *
 *     READY     authenticated, in its listener's queue
 *     INJECTED  in the program's table, under a number that it has not been told yet
 *     TELLING   it is being told
 *
 * Where the call was interrupted before it was told, it is owed to that process's next accept()
 * (owed.h).
 */

#include "supervisor/accept/give.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/bell.h"
#include "supervisor/accept/listener.h"
#include "supervisor/accept/owed.h"
#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/work.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/inject.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"

#define OWED 64 /* of those owed, so many are looked at for one call */

static struct listener *at(struct supervisor *s, uint32_t index)
{
	return &s->state->listeners[index];
}

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

/* It is in the program's table: return its number. Our own descriptor is closed only after that: if
 * the program closes its descriptor at once, the peer sees that some microseconds later. That is
 * the price for programs that end before they get the number. */
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
		log_debug("accept was interrupted: descriptor %d is kept for the next accept of "
			  "its process",
			  conn->number);
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
	int fd = s->state->conns[index].fd;
	bool cloexec = s->state->calls[call_index].args[3] & SOCK_CLOEXEC;
	int number = inject_descriptor(s->state, call_index, fd, cloexec);
	fault_point("accept.injected");
	if (number != -EINTR && number != -EBUSY)
		injected(s, call_index, index, number);
	else if (chore_inject(s->state, index, fd, call_index, cloexec) < 0)
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

/* If we are held up in here, it is the fault of that call's program. */
void give_ready(struct supervisor *s, uint32_t call, uint32_t listener)
{
	struct work_item before = work_on_call(s->state, call);
	deliver_to(s, call, listener);
	work_go_on(s->state, before);
}

/* What is owed to the process of this call: true if that answers it. */
bool give_owed(struct supervisor *s, uint32_t call_index, uint32_t listener)
{
	struct call *call = &s->state->calls[call_index];
	uint32_t owed = at(s, listener)->owed;
	int group = 0;
	for (uint32_t left = owed < OWED ? owed : OWED; left; left--) {
		uint32_t i = listener_next_owed(s, listener);
		struct conn *conn = &s->state->conns[i];
		if (conn->number < 0)
			continue; /* a chore is about it */
		cleanup_socket int fd = target_descriptor(s->state, call, conn->number);
		if (fd < 0 || socket_cookie(fd) != conn->cookie)
			continue;
		if (group == 0)
			group = target_group(s->state, (int)call->notif.pid);
		if (conn->owed_to != group) /* a child of it has the socket, too */
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
		give_ready(s, call, index);
	}
	bell_ring(s, index);
}

/* An accept() that was promised a connection gets the dead one once there is no hope of another. */
void give_promised(struct supervisor *s, uint32_t index, bool at_once)
{
	struct listener *listener = at(s, index);
	uint32_t call = listener->calls;
	while (call != NONE && !s->state->calls[call].promised)
		call = s->state->calls[call].next;
	if (call == NONE || listener->ready.first != NONE || listener->dead == NONE ||
	    (listener->incoming && !at_once))
		return;
	s->state->conns[listener->dead].deadline = 0;
	listener_queue_first(s, index, listener->dead);
	listener->dead = NONE;
	supervisor_release(s, call, &listener->calls);
	give_ready(s, call, index);
}

/* It is in that process's table, and nobody is there to be told. */
static void owe(struct supervisor *s, uint32_t index, int number)
{
	struct conn *conn = &s->state->conns[index];
	conn->number = number;
	owed_begin(s, index);
}

/* A chore has put it there, or has failed. Meanwhile another supervisor may have looked at the call
 * again; and a supervisor that has ended since may have noted the number without returning it. */
void accept_injected(struct supervisor *s, struct chore *chore)
{
	struct conn *conn = &s->state->conns[chore->conn];
	struct call *call = &s->state->calls[chore->call];
	int number = conn->number >= 0 ? conn->number : chore->result;
	if (!conn->slot.used || conn->slot.gen != chore->gen || conn->state != CONN_INJECTED) {
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
		injected(s, chore->call, chore->conn, number);
	else if (number >= 0)
		owe(s, chore->conn, number);
	else
		back_to_queue(s, chore->conn);
	accept_offer(s, listener);
	listener_tidy(s, listener);
}

/* --- taking over --- */

/* Was the program told? The kernel cannot say afterwards; but while the call still waits it was
 * not, and a call that is gone was answered, save where a signal came in the same microsecond. */
void give_recover_telling(struct supervisor *s, uint32_t index)
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
void give_recover_injected(struct supervisor *s, uint32_t index)
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
