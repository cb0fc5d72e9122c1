/*
 * Taking over from a supervisor that died. It may have died between any two instructions; what
 * stands in the state is true, and what it had begun and not recorded is told by the kernel:
 *
 *     a call        waits still, or was answered or taken back: ID_VALID
 *     a handshake   how many bytes have moved: the socket's counters (lan_resume)
 *     an injection  whether the socket is in the program's table (accept_recover_conn)
 *     an accept     a socket that no conn owns, while a listener's queue was being taken in
 *
 * Where it never came back from a call, and was ended for it, whatever else belongs to those whose
 * fault that was is let go without being looked at (abandon).
 *
 * Lists, chains and counts are made again from the objects. All other descriptors that nobody owns
 * were open for the length of one function, and are closed.
 */

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/incoming.h"
#include "supervisor/accept/listener.h"
#include "supervisor/accept/stranger.h"
#include "supervisor/accept/watch.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/mark.h"
#include "supervisor/base/share.h"
#include "supervisor/base/work.h"
#include "supervisor/calls/core.h"
#include "supervisor/connect/connect.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/hand.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/lookup.h"

#define MAX_FD       65536
#define MAX_ATTEMPTS 8 /* at a call whose supervisors die */

static void forget_lists(struct state *state)
{
	for (uint32_t i = 0; i < state->copy_top; i++)
		state->copies[i].calls = NONE;
	memset(state->buckets, 0xff, sizeof(state->buckets));                   /* NONE */
	memset(state->listener_buckets, 0xff, sizeof(state->listener_buckets)); /* NONE */
	state->connecting = state->held = state->listening = 0;
	stranger_recover(state);
	share_recover(state);
	state->refused = NONE;
	for (uint32_t i = 0; i < state->conn_pool.top; i++)
		state->conns[i].watched = 0;
	for (uint32_t i = 0; i < state->conn_pool.top; i++)
		if (state->conns[i].state < CONN_INJECTED || state->conns[i].state == CONN_DEAD)
			state->conns[i].calls = NONE;
	for (uint32_t i = 0; i < state->listener_pool.top; i++) {
		struct listener *listener = &state->listeners[i];
		listener->calls = listener->dead = NONE;
		listener->watched = false;
		conns_clear(&listener->ready);
		conns_clear(&listener->owing);
		listener->owed = listener->ready_count = 0;
		if (listener->cookie == 0) /* half made */
			listener->slot.used = false;
		else if (listener->slot.used)
			listener_put(state, i);
	}
}

/* Was it filled in completely? An incomplete one belongs to a call that will come again. */
static bool whole(const struct state *state, const struct conn *conn)
{
	if (conn->state >= CONN_INCOMING)
		return (conn->fd >= 0 || conn->number >= 0) &&
		       state->listeners[conn->listener].slot.used;
	return conn->whole && (conn->fd >= 0 || conn->state >= CONN_DONE);
}

/* The conn that was being worked on: if supervisor after supervisor ends on it, it is dropped. */
static void suspect(struct state *state)
{
	struct conn *conn = state->working == NONE ? NULL : &state->conns[state->working];
	state->working = NONE;
	if (!conn || !conn->slot.used || ++conn->attempts <= MAX_ATTEMPTS)
		return;
	log_warn("a connection was dropped: supervisors ended repeatedly while working on it");
	if (conn->fd > STDERR_FILENO)
		close_fd(&conn->fd);
	conn->slot.used = false;
}

/* --- what the one before never came back from --- */

static bool is_blamed(const struct state *state, uint32_t program, uint32_t uid)
{
	return program == state->blamed.program &&
	       (mark_holds(state, program, uid, loop_now()) || uid == state->blamed.uid);
}

/* Their sockets are left as they are; the one that it was at is kept, to be put away when it has
 * come back (lost). */
static void abandon_conn(struct state *state, uint32_t index)
{
	struct conn *conn = &state->conns[index];
	int fd = conn->fd;
	for (uint32_t i = 0; index == state->blamed.conn && i < MAX_LOST; i++)
		if (state->lost[i].pid == state->blamed_pid) {
			state->lost[i].fd = fd;
			fd = -1;
		}
	bool connects = conn->state <= CONN_AUTH && fd >= 0;
	conn->fd = -1;
	conn->slot.used = false;
	if (connects) /* its program must not take it for a tunnel */
		chore_discard_also(fd);
	else
		chore_cleanup(&fd);
}

static void abandon_listener(struct state *state, uint32_t index)
{
	struct listener *listener = &state->listeners[index];
	int fd = listener->fd;
	listener->fd = -1;
	listener->slot.used = false;
	chore_cleanup(&fd);
}

/* Its call, and those that wait for what is abandoned, fail: nothing of theirs is looked at. */
static void abandon_calls(struct state *state)
{
	for (uint32_t i = 0; i < state->call_pool.top; i++) {
		const struct call *call = &state->calls[i];
		if (!call->slot.used || i == state->receiving)
			continue;
		bool lost = i == state->blamed.call;
		if (call->state == CALL_HELD && call->kind == CALL_ACCEPT)
			lost |= !state->listeners[call->owner].slot.used;
		else if (call->state == CALL_HELD && call->kind <= CALL_SO_ERROR)
			lost |= !state->conns[call->owner].slot.used;
		if (lost)
			notify_fail(state, i, EIO);
	}
}

static void abandon(struct state *state)
{
	if (!state->blamed_pid)
		return;
	for (uint32_t i = 0; i < state->conn_pool.top; i++) {
		const struct conn *conn = &state->conns[i];
		if (conn->slot.used && conn->state < CONN_INCOMING &&
		    (i == state->blamed.conn || is_blamed(state, conn->program, conn->uid)))
			abandon_conn(state, i);
	}
	for (uint32_t i = 0; i < state->listener_pool.top; i++) {
		const struct listener *listener = &state->listeners[i];
		if (listener->slot.used && (i == state->blamed.listener ||
					    is_blamed(state, listener->program, listener->uid)))
			abandon_listener(state, i);
	}
	chore_discard_those();
	abandon_calls(state);
	state->accepting = NONE; /* a stray of it is closed: nothing of it is looked at */
	state->blamed_pid = 0;
}

static void recover_conns(struct supervisor *s)
{
	for (uint32_t i = 0; i < s->state->conn_pool.top; i++) {
		struct conn *conn = &s->state->conns[i];
		if (!conn->slot.used)
			continue;
		work_on_conn(s->state, i);
		if (!whole(s->state, conn)) {
			if (conn->fd > STDERR_FILENO) /* a fresh one is all zeros for a moment */
				chore_cleanup(&(int){steal_fd(&conn->fd)});
			conn->slot.used = false;
		} else if (conn->state >= CONN_INCOMING) {
			accept_recover_conn(s, i);
		} else {
			connect_recover_conn(s, i);
		}
		work_on(s->state, work_of_nobody());
	}
}

/* --- descriptors --- */

static void own(bool *owned, int fd)
{
	if (fd >= 0 && fd < MAX_FD)
		owned[fd] = true;
}

static void mark_owned(const struct supervisor *s, bool *owned)
{
	const struct state *state = s->state;
	own(owned, s->loop.epoll);
	own(owned, s->loop.timer);
	watch_own(owned, MAX_FD);
	for (int i = 0; i < KEPT_MAX; i++)
		own(owned, state->kept[i]);
	own(owned, state->control_fd);
	own(owned, state->supervisor_pidfd);
	for (uint32_t i = 0; i < MAX_CLIENTS; i++)
		own(owned, state->clients[i]);
	for (uint32_t i = 0; i < MAX_LOST; i++)
		own(owned, state->lost[i].fd);
	for (uint32_t i = 0; i < MAX_CHORES; i++) {
		const struct chore *chore = &state->chores[i];
		if (chore->stage != CHORE_FREE)
			own(owned, chore->fd);
		for (uint32_t k = 0; chore->stage != CHORE_FREE && k < chore->count; k++)
			own(owned, chore->fds[k]);
	}
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		own(owned, state->programs[i].notify_fd);
	for (uint32_t i = 0; i < state->conn_pool.top; i++)
		if (state->conns[i].slot.used) {
			own(owned, state->conns[i].fd);
			own(owned, state->conns[i].pidfd);
		}
	for (uint32_t i = 0; i < state->listener_pool.top; i++) {
		if (!state->listeners[i].slot.used)
			continue;
		own(owned, state->listeners[i].fd);
		own(owned, state->listeners[i].bell);
	}
}

/* Only what a supervisor opens: the keeper works on this table meanwhile. */
static bool may_be_left_over(const char *what)
{
	return strncmp(what, "socket:", 7) == 0 || strstr(what, "[pidfd]") ||
	       strncmp(what, "pidfd:", 6) == 0 || strstr(what, "[eventpoll]") ||
	       strstr(what, "[timerfd]");
}

/* A connection that was accepted and not recorded, not another duplicate of a program's socket. */
static bool is_stray(const struct state *state, int fd)
{
	union address here, peer, listener;
	if (state->accepting == NONE || !state->listeners[state->accepting].slot.used)
		return false;
	listener = state->listeners[state->accepting].address;
	return !socket_is_listening(fd) && socket_peer(fd, &peer) == 0 &&
	       socket_name(fd, &here, NULL) == 0 && here.in.sin_port == listener.in.sin_port;
}

static void sort_out(struct supervisor *s, int fd, const char *what)
{
	if (!may_be_left_over(what))
		return;
	if (strncmp(what, "socket:", 7) == 0 && is_stray(s->state, fd))
		incoming_stray(s, fd);
	else
		chore_release(fd);
}

void recover_descriptors(struct supervisor *s)
{
	bool *owned = calloc(MAX_FD, sizeof(*owned));
	DIR *dir = s->descriptors;
	if (owned && dir) {
		mark_owned(s, owned);
		target_own(owned, MAX_FD);
		own(owned, dirfd(dir));
		rewinddir(dir);
		for (struct dirent *entry; (entry = readdir(dir));) {
			char what[64];
			int fd = (int)strtol(entry->d_name, NULL, 10);
			ssize_t len = readlinkat(dirfd(dir), entry->d_name, what, sizeof(what) - 1);
			if (len <= 0 || fd >= MAX_FD || owned[fd])
				continue;
			what[len] = '\0';
			sort_out(s, fd, what);
		}
	}
	free(owned);
	s->state->accepting = NONE;
}

/* --- calls --- */

/* Held calls go back into their lists; false: it has to be looked at from the start. */
static bool hold_again(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	if (call->state != CALL_HELD || (call->owner == NONE && call->kind != CALL_REFUSED))
		return false;
	if (call->kind == CALL_REFUSED) {
		;
	} else if (call->kind == CALL_ACCEPT) {
		const struct listener *listener = &s->state->listeners[call->owner];
		/* what may be owed to it is found by looking from the start */
		if (!listener->slot.used || listener->fd < 0 || listener->owed)
			return false;
	} else if (call->kind == CALL_OPEN) {
		if (!s->state->copies[call->owner].wanted)
			return false;
	} else if (!s->state->conns[call->owner].slot.used) {
		return false;
	}
	uint64_t deadline = call->deadline;
	supervisor_hold(s, index, call->kind, supervisor_list_of(s, call), call->owner);
	if (deadline)
		loop_at(&s->loop, deadline, supervisor_id(s, OBJECT_CALL, index));
	return true;
}

/* last: the call at which the one before died; NONE: at none. */
static void recover_calls(struct supervisor *s, bool held, uint32_t last)
{
	for (uint32_t i = 0; i < s->state->call_pool.top; i++) {
		struct call *call = &s->state->calls[i];
		if (!call->slot.used || i == s->state->receiving)
			continue;
		if (call->notif.id == 0 || !notify_valid(s->state, call))
			call->slot.used = false;
		else if (held && !hold_again(s, i)) {
			call->state = CALL_RECEIVED;
			call->share = NONE;
		} else if (!held && call->state == CALL_RECEIVED && i == last &&
			   ++call->attempts > MAX_ATTEMPTS)
			notify_fail(s->state, i, EIO);
		else if (!held && call->state == CALL_RECEIVED)
			supervisor_dispatch(s, i);
	}
}

/* RECV had filled the call, and its number was not told any more. */
static void recover_receiving(struct state *state)
{
	if (state->receiving != NONE && state->calls[state->receiving].notif.id != 0)
		state->receiving = NONE;
	if (state->receiving != NONE && !state->calls[state->receiving].slot.used)
		state->receiving = NONE;
}

static void go_on(struct supervisor *s)
{
	open_recover(s);
	for (uint32_t i = 0; i < s->state->conn_pool.top; i++) {
		struct conn *conn = &s->state->conns[i];
		work_on_conn(s->state, i);
		if (conn->slot.used && conn->state <= CONN_FAILED)
			connect_resume(s, i);
		else if (conn->slot.used && conn->state == CONN_INCOMING)
			incoming_resume(s, i);
	}
	for (uint32_t i = 0; i < s->state->listener_pool.top; i++)
		if (s->state->listeners[i].slot.used) {
			work_on_listener(s->state, i);
			accept_recover_listener(s, i);
		}
}

void recover(struct supervisor *s, uint32_t last)
{
	if (s->state->counters.restarts == 0)
		return;
	log_debug("a new supervisor takes over");
	hand_settle(s->state);
	abandon(s->state);
	recover_receiving(s->state);
	lookup_recover(s->state);
	suspect(s->state);
	forget_lists(s->state);
	recover_conns(s);
	recover_calls(s, true, last);
	state_rebuild_pools(s->state);
	recover_descriptors(s);
	go_on(s);
	recover_calls(s, false, last);
	supervisor_sweep_later(s);
}
