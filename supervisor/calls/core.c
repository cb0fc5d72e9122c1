#include "supervisor/calls/core.h"

#include <errno.h>
#include <string.h>

#include "supervisor/base/limit.h"
#include "supervisor/base/log.h"
#include "supervisor/base/share.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"

#define SEARCH_AGAIN (100 * MILLISECOND) /* where there was no place for a chore */
#define REFUSE       (64 * MILLISECOND)
#define REFUSED_MOST (MAX_CALLS / 4)

struct object_id supervisor_id(const struct supervisor *s, enum object kind, uint32_t index)
{
	struct object_id id = {.kind = (uint8_t)kind, .index = index};
	if (kind == OBJECT_CONN)
		id.gen = s->state->conns[index].slot.gen;
	else if (kind == OBJECT_CALL)
		id.gen = s->state->calls[index].slot.gen;
	else if (kind == OBJECT_NOTIFY)
		id.gen = s->state->programs[index].slot.gen;
	else if (kind == OBJECT_LISTENER || kind == OBJECT_BELL)
		id.gen = s->state->listeners[index].slot.gen;
	return id;
}

bool supervisor_stands(const struct supervisor *s, struct object_id id)
{
	const struct slot *slot = NULL;
	if (id.kind == OBJECT_CONN)
		slot = &s->state->conns[id.index].slot;
	else if (id.kind == OBJECT_CALL)
		slot = &s->state->calls[id.index].slot;
	else if (id.kind == OBJECT_NOTIFY)
		slot = &s->state->programs[id.index].slot;
	else if (id.kind == OBJECT_LISTENER || id.kind == OBJECT_BELL)
		slot = &s->state->listeners[id.index].slot;
	return !slot || (slot->used && ((slot->gen ^ id.gen) & 0xffffff) == 0);
}

/* --- held calls --- */

void supervisor_sweep_later(struct supervisor *s)
{
	if (s->sweep_set)
		return;
	s->sweep_set = true;
	loop_at(&s->loop, loop_now() + s->sweep_pace, (struct object_id){.kind = OBJECT_SWEEP});
}

void supervisor_hold(struct supervisor *s, uint32_t index, enum call_kind kind, uint32_t *list,
		     uint32_t owner)
{
	struct call *call = &s->state->calls[index];
	call->kind = (uint8_t)kind;
	call->owner = owner;
	call->state = CALL_HELD;
	calls_append(s->state, list, index);
	s->state->held++;
	/* copies, and what is refused, have bounds of their own */
	if (kind == CALL_ACCEPT)
		call->share = share_add(s->state, call->program, s->state->listeners[owner].uid,
					PART_CALLS);
	else if (kind == CALL_CONNECT || kind == CALL_SO_ERROR)
		call->share =
			share_add(s->state, call->program, s->state->conns[owner].uid, PART_CALLS);
	s->sweep_pace = SWEEP_PACE;
	supervisor_sweep_later(s);
}

void supervisor_release(struct supervisor *s, uint32_t index, uint32_t *list)
{
	calls_remove(s->state, list, index);
	s->state->calls[index].state = CALL_RECEIVED; /* in no list */
	s->state->calls[index].deadline = 0;
	s->state->held--;
	share_drop(s->state, s->state->calls[index].share, PART_CALLS);
	s->state->calls[index].share = NONE;
}

bool supervisor_holds_enough(struct supervisor *s, const struct call *call, uint32_t uid)
{
	return limit_reached(s->state, LIMIT_CALLS, s->state->held) ||
	       share_full(s->state, call->program, uid, PART_CALLS, LIMIT_CALLS_EACH);
}

bool supervisor_interrupted(struct supervisor *s, const struct call *call, uint32_t *list)
{
	for (uint32_t i = *list; i != NONE; i = s->state->calls[i].next) {
		if (s->state->calls[i].notif.pid != call->notif.pid)
			continue;
		supervisor_release(s, i, list);
		notify_forget(s->state, i);
		return true;
	}
	return false;
}

uint32_t *supervisor_list_of(struct supervisor *s, const struct call *call)
{
	if (call->kind == CALL_OPEN)
		return &s->state->copies[call->owner].calls;
	if (call->kind == CALL_REFUSED)
		return &s->state->refused;
	return call->kind == CALL_ACCEPT ? &s->state->listeners[call->owner].calls
					 : &s->state->conns[call->owner].calls;
}

/* --- conns --- */

void conn_watch(struct supervisor *s, uint32_t index, uint32_t events)
{
	struct conn *conn = &s->state->conns[index];
	if (conn->watched == events)
		return;
	loop_watch(&s->loop, conn->fd, events, conn->watched != 0,
		   supervisor_id(s, OBJECT_CONN, index));
	conn->watched = events;
}

void conn_unwatch(struct supervisor *s, struct conn *conn)
{
	if (conn->watched)
		loop_unwatch(&s->loop, conn->fd);
	conn->watched = 0;
}

void supervisor_search(struct supervisor *s)
{
	uint64_t now = loop_now();
	uint64_t at = s->state->search_after;
	if (at <= now && chore_search(s->state))
		return;
	if (!s->search_set) {
		s->search_set = true;
		loop_at(&s->loop, at <= now ? now + SEARCH_AGAIN : at,
			(struct object_id){.kind = OBJECT_SEARCH});
	}
}

/* --- refusing --- */

void supervisor_refuse(struct supervisor *s, uint32_t index, int error)
{
	struct call *call = &s->state->calls[index];
	if (s->state->held >= REFUSED_MOST) {
		notify_fail(s->state, index, error);
		return;
	}
	supervisor_hold(s, index, CALL_REFUSED, &s->state->refused, NONE);
	call->error = error;
	/* not all of them at the same moment */
	call->deadline = loop_now() + REFUSE + (call->notif.pid % 32) * (REFUSE / 32);
	loop_at(&s->loop, call->deadline, supervisor_id(s, OBJECT_CALL, index));
}

void supervisor_refuse_now(struct supervisor *s, uint32_t index)
{
	int error = s->state->calls[index].error;
	supervisor_release(s, index, &s->state->refused);
	notify_fail(s->state, index, error);
}

static void blind(struct supervisor *s, uint32_t index, int error)
{
	static bool warned;
	if (!warned)
		log_warn("process %d cannot be inspected (%s): its connections do not go through "
			 "tunnels",
			 (int)s->state->calls[index].notif.pid, strerror(-error));
	warned = true;
	notify_pass(s->state, index);
}

void supervisor_no_descriptor(struct supervisor *s, uint32_t index, int error)
{
	if (error == -EPERM || error == -ENOTSUP)
		blind(s, index, error);
	else if (error == -EMFILE || error == -ENFILE || error == -ENOMEM)
		notify_fail(s->state, index,
			    ENFILE); /* the kernel must not have it: it may be ours */
	else
		notify_pass(s->state, index); /* no such descriptor: the kernel says so */
}

bool supervisor_is_elsewhere(struct supervisor *s, const struct call *call, int fd)
{
	if (!s->netns)
		return !target_is_in_our_network(s->state, (int)call->notif.pid);
	return socket_netns(fd) != s->netns;
}
