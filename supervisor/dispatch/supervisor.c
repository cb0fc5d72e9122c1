#include "supervisor/dispatch/supervisor.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/watch.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/log.h"
#include "supervisor/base/work.h"
#include "supervisor/connect/connect.h"
#include "supervisor/dispatch/control.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/confine.h"
#include "supervisor/kernel/privileges.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/tunnel/lan.h"
#include "supervisor/tunnel/lookup.h"
#include "supervisor/tunnel/real.h"

#define EVENTS 64

#define ROOM    64  /* descriptors that are left to keeper and hand … */
#define ROOM_OF 256 /* … where there are more than so many */

/* Whether a deadline in the heap is still its object's. */
static bool deadline_stands(const void *owner, struct object_id id, uint64_t at)
{
	const struct supervisor *s = owner;
	if (!supervisor_stands(s, id))
		return false;
	if (id.kind == OBJECT_CONN)
		return s->state->conns[id.index].deadline == at ||
		       s->state->conns[id.index].look_at == at;
	if (id.kind == OBJECT_CALL)
		return s->state->calls[id.index].deadline == at;
	return true;
}

/* --- events --- */

static void watch_lookups(struct supervisor *s)
{
	for (uint32_t i = LOOKUP_FIRST; (i = lookup_next(s->state, i)) != NONE;)
		if (s->state->lookups[i].stage == LOOKUP_RUNNING)
			loop_watch(&s->loop, s->state->lookups[i].fd, EPOLLIN, false,
				   (struct object_id){.kind = OBJECT_LOOKUP, .index = i});
}

static void wake_event(struct supervisor *s)
{
	eventfd_t count;
	eventfd_read(s->state->supervisor_wakes, &count);
	watch_lookups(s);
}

static void lookup_over(struct supervisor *s, uint32_t index)
{
	if (index >= MAX_TUNNELS)
		real_looked_up(s->state);
	connect_lookup_over(s, index);
}

static void lookup_event(struct supervisor *s, uint32_t index)
{
	if (s->state->lookups[index].stage == LOOKUP_RUNNING && lookup_read(s->state, index) == 0)
		lookup_over(s, index);
}

static void conn_event(struct supervisor *s, uint32_t index)
{
	work_on_conn(s->state, index);
	s->state->working = index;
	if (s->state->conns[index].state >= CONN_INCOMING)
		accept_event(s, index);
	else
		connect_event(s, index);
	s->state->working = NONE;
}

static void event(struct supervisor *s, struct object_id id, uint32_t events)
{
	if (!supervisor_stands(s, id))
		return;
	work_on(s->state, work_of_nobody());
	switch ((enum object)id.kind) {
	case OBJECT_NOTIFY:
		if (events & EPOLLIN)
			supervisor_receive(s, id.index);
		else
			supervisor_program_ended(s, id.index);
		return;
	case OBJECT_CONTROL:
		control_accept(s);
		return;
	case OBJECT_CLIENT:
		control_event(s, id.index);
		return;
	case OBJECT_WAKE:
		wake_event(s);
		control_upgraded(s);
		beside_chores_event(s);
		open_wake(s); /* there may be a place for a chore now */
		beside_lost_event(s);
		s->state->beat = (uint32_t)s->state->beat_wanted;
		return;
	case OBJECT_CONN:
		conn_event(s, id.index);
		return;
	case OBJECT_LISTENER:
		work_on_listener(s->state, id.index);
		accept_listener_event(s, id.index);
		return;
	case OBJECT_BELL:
		work_on_listener(s->state, id.index);
		accept_bell_event(s, id.index);
		return;
	case OBJECT_WATCH:
		watch_event(s);
		return;
	case OBJECT_LOOKUP:
		lookup_event(s, id.index);
		return;
	case OBJECT_CALL:
	case OBJECT_SEARCH:
	case OBJECT_SWEEP:
	case OBJECT_TIMER:
		return; /* deadlines */
	}
}

static void conn_deadline(struct supervisor *s, uint32_t index, uint64_t now)
{
	const struct conn *conn = &s->state->conns[index];
	bool over = conn->deadline && conn->deadline <= now;
	work_on_conn(s->state, index);
	if (!over && conn->look_at && conn->look_at <= now)
		connect_look(s, index);
	if (!over)
		return;
	if (conn->state >= CONN_INCOMING)
		accept_deadline(s, index);
	else
		connect_deadline(s, index);
}

static void call_deadline(struct supervisor *s, uint32_t index, uint64_t now)
{
	const struct call *call = &s->state->calls[index];
	if (call->state != CALL_HELD || call->deadline == 0 || call->deadline > now)
		return;
	work_on_call(s->state, index);
	if (call->kind == CALL_REFUSED)
		supervisor_refuse_now(s, index);
	else if (call->kind == CALL_ACCEPT)
		accept_call_deadline(s, index);
	else if (call->kind == CALL_OPEN)
		open_deadline(s, index);
	else
		connect_call_deadline(s, index);
}

static void deadlines(struct supervisor *s)
{
	struct object_id id;
	uint64_t now = loop_now();
	while (loop_due(&s->loop, now, &id)) {
		if (!supervisor_stands(s, id))
			continue;
		work_on(s->state, work_of_nobody());
		if (id.kind == OBJECT_CONN) {
			conn_deadline(s, id.index, now);
		} else if (id.kind == OBJECT_CALL) {
			call_deadline(s, id.index, now);
		} else if (id.kind == OBJECT_LISTENER) {
			work_on_listener(s->state, id.index);
			accept_arrived(s, id.index);
		} else if (id.kind == OBJECT_SWEEP) {
			sweep_event(s);
		} else if (id.kind == OBJECT_SEARCH) {
			beside_search_event(s);
		}
	}
}

static uint64_t own_netns(void)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? 0 : socket_netns(fd);
}

/* The table is the keeper's and the hand's too, and programs can fill it. */
static void leave_room(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= ROOM_OF)
		return;
	limit.rlim_cur -= ROOM;
	setrlimit(RLIMIT_NOFILE, &limit);
}

_Noreturn void supervisor_run(struct state *state)
{
	/* not on the stack: where memory is limited that may not grow */
	static struct supervisor s;
	struct epoll_event events[EVENTS];
	s.state = state;
	s.netns = own_netns();
	s.sweep_pace = SWEEP_PACE;
	s.searched_at = NONE;
	/* the launches that are attached notice then, and serve themselves */
	if (state->control_fd >= 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	leave_room();
	limit_fit(state);
	chore_init(state);
	socket_init();
	if (privileges_drop(false) < 0 || loop_init(&s.loop, deadline_stands, &s) < 0)
		_exit(1);
	close_fd(&state->directory); /* of the one before */
	close_fd(&state->watch_info);
	s.descriptors = opendir("/proc/self/fd");
	state->directory = s.descriptors ? dirfd(s.descriptors) : -1;
	watch_init(&s);
	lan_warm_up(); /* libcrypto reads its configuration */
	if (confine(state) < 0)
		_exit(1);
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		if (state->programs[i].slot.used && state->programs[i].notify_fd >= 0)
			supervisor_watch_program(&s, i);
	loop_watch(&s.loop, state->supervisor_wakes, EPOLLIN, false,
		   (struct object_id){.kind = OBJECT_WAKE});
	const struct work_item last = work_on(state, work_of_nobody());
	control_recover(&s);
	recover(&s, last.call);
	real_recover(state);
	watch_lookups(&s);
	beside_chores_event(&s);
	fault_point("run.ready");
	work_over(state);
	for (;;) {
		int count = loop_wait(&s.loop, events, EVENTS);
		work_on(state, work_of_nobody());
		for (int i = 0; i < count; i++)
			event(&s, loop_object(events[i].data.u64), events[i].events);
		deadlines(&s);
		work_over(state);
	}
}
