#include "supervisor/supervisor.h"

#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/blind.h"
#include "supervisor/chore.h"
#include "supervisor/confine.h"
#include "supervisor/control.h"
#include "supervisor/fault.h"
#include "supervisor/fd.h"
#include "supervisor/i386.h"
#include "supervisor/lan.h"
#include "supervisor/limit.h"
#include "supervisor/log.h"
#include "supervisor/lookup.h"
#include "supervisor/mark.h"
#include "supervisor/notify.h"
#include "supervisor/owed.h"
#include "supervisor/privileges.h"
#include "supervisor/real.h"
#include "supervisor/share.h"
#include "supervisor/socket.h"
#include "supervisor/target.h"
#include "supervisor/work.h"

#define EVENTS       64
#define SWEEP        (125 * MILLISECOND)
#define SWEEP_REST   (500 * MILLISECOND)
#define SWEEP_PART   (200 * MILLISECOND / 1000) /* of it, at a time … */
#define SWEEP_SHARE  50                         /* … which is one in so many */
#define SWEEP_STEP   8                          /* places between two looks at the clock */
#define SEARCH_SHARE 10 /* what a search has found takes one part in so many */

#define SEARCH_AGAIN (100 * MILLISECOND) /* where there was no place for a chore */
#define ROOM         64                  /* descriptors that are left to keeper and hand … */
#define ROOM_OF      256                 /* … where there are more than so many */
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
	s->sweep_pace = SWEEP;
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

static bool sweep_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	if (!call->slot.used || call->state != CALL_HELD)
		return false;
	if (!notify_valid(s->state, call)) {
		supervisor_release(s, index, supervisor_list_of(s, call));
		notify_forget(s->state, index);
	}
	return true;
}

/* One place of the pools, one after the other. True: there is something to look after later. */
static bool sweep_place(struct supervisor *s, uint32_t place)
{
	struct state *state = s->state;
	if (place < state->call_pool.top)
		return sweep_call(s, place);
	place -= state->call_pool.top;
	if (place < state->conn_pool.top) {
		work_on_conn(state, place);
		return connect_sweep(s, place);
	}
	work_on_listener(state, place - state->conn_pool.top);
	return accept_sweep(s, place - state->conn_pool.top);
}

static uint32_t places(const struct state *state)
{
	return state->call_pool.top + state->conn_pool.top + state->listener_pool.top;
}

/* Up to the end, or for as long as a part may take. */
static void sweep(struct supervisor *s, uint64_t limit)
{
	uint64_t began = loop_now(), took = 0;
	struct work_item before = s->state->work.item;
	while (s->sweep_at < places(s->state) && took < limit) {
		s->sweep_more |= sweep_place(s, s->sweep_at++);
		took = s->sweep_at % SWEEP_STEP ? took : loop_now() - began;
	}
	work_go_on(s->state, before);
	took = loop_now() - began;
	if (s->sweep_at < places(s->state)) {
		s->sweep_pace = SWEEP_SHARE * took;
		supervisor_sweep_later(s);
		return;
	}
	/* where nothing happens, less and less often */
	s->sweep_pace = s->sweep_pace < SWEEP_REST ? 2 * s->sweep_pace : SWEEP_REST;
	if (s->sweep_pace < SWEEP)
		s->sweep_pace = SWEEP;
	s->sweep_at = 0;
	open_sweep(s);
	open_wake(s);
	s->sweep_more |= bind_sweep(s);
	s->sweep_more |= watch_sweep(s);
	if (s->sweep_more || s->state->held)
		supervisor_sweep_later(s);
	s->sweep_more = false;
}

void supervisor_sweep(struct supervisor *s)
{
	uint64_t began = loop_now();
	if (began < s->full_sweep_after) { /* nobody is to have us do nothing else */
		supervisor_sweep_later(s);
		return;
	}
	s->sweep_at = 0;
	sweep(s, UINT64_MAX);
	s->full_sweep_after = loop_now() + SWEEP_SHARE * (loop_now() - began);
}

/* --- what goes on beside us --- */

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

static void searched_one(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	if (!conn->slot.used || conn->search == SEARCH_NONE)
		return;
	if (conn->search == SEARCH_RUNNING) /* for one that was ended */
		conn->search = SEARCH_WANTED;
	s->search_more |= conn->search == SEARCH_WANTED;
	if (conn->search == SEARCH_FOUND || conn->search == SEARCH_NOBODY) {
		work_on_conn(s->state, index);
		if (conn->state >= CONN_INCOMING)
			owed_searched(s, index);
		else
			connect_searched(s, index);
	}
}

/* What a search has found, a part at a time: there may be thousands. */
static void searched(struct supervisor *s)
{
	uint64_t began = loop_now(), took = 0;
	while (s->searched_at < s->state->conn_pool.top && took < SWEEP_PART) {
		searched_one(s, s->searched_at++);
		took = s->searched_at % SWEEP_STEP ? took : loop_now() - began;
	}
	if (s->searched_at < s->state->conn_pool.top) {
		loop_at(&s->loop, loop_now() + SEARCH_SHARE * took,
			(struct object_id){.kind = OBJECT_SEARCH});
		return;
	}
	s->searched_at = NONE;
	if (s->search_more)
		supervisor_search(s);
}

static void search_event(struct supervisor *s)
{
	s->search_set = false;
	if (s->searched_at != NONE)
		searched(s);
	else
		supervisor_search(s);
}

static void search_over(struct supervisor *s)
{
	bool under_way = s->searched_at != NONE;
	s->searched_at = 0;
	s->search_more = false;
	if (!under_way) /* else its deadline goes on */
		searched(s);
}

static void chores_event(struct supervisor *s)
{
	for (struct chore *chore; (chore = chore_done(s->state));) {
		struct chore done = *chore;
		uint8_t op = chore->op;
		/* before the program is told: nothing of its socket may be left with us */
		close_fd(&chore->fd);
		if (op == CHORE_INJECT && chore->conn != NONE)
			accept_injected(s, &done);
		else if (op == CHORE_INJECT)
			open_injected(s, &done);
		chore_give(chore);
		if (op == CHORE_SEARCH)
			search_over(s);
	}
}

/* A supervisor that did not end has, and left its call: what that came to is put away. */
static void lost_event(struct supervisor *s)
{
	if (!atomic_exchange(&s->state->lost_ended, false))
		return;
	recover_descriptors(s);
	for (uint32_t i = 0; i < MAX_LOST; i++) {
		struct lost *lost = &s->state->lost[i];
		if (lost->pid == 0 && lost->fd >= 0)
			chore_discard(steal_fd(&lost->fd));
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

static void refuse_now(struct supervisor *s, uint32_t index)
{
	int error = s->state->calls[index].error;
	supervisor_release(s, index, &s->state->refused);
	notify_fail(s->state, index, error);
}

/* Somebody who has held us up: neither memory nor descriptors of his are looked at. Whose a thread
 * is is asked once in a while, or the asking would keep us from the others. */
static bool is_marked(struct supervisor *s, const struct call *call)
{
	uint64_t now = loop_now();
	int tid = (int)call->notif.pid;
	struct known_thread *known = &s->known_threads[(unsigned)tid % KNOWN_THREADS];
	if (!mark_any(s->state, call->program, now))
		return false;
	if (known->tid != tid || known->program != call->program || known->until < now) {
		int uid = hand_proc(s->state, HAND_UID, tid, -1);
		*known = (struct known_thread){
			.tid = tid,
			.program = call->program,
			.marked = mark_holds(s->state, call->program,
					     uid < 0 ? UNKNOWN_UID : (uint32_t)uid, now)};
		/* who becomes another user is soon known as such */
		known->until = now + (known->marked ? SECOND : SECOND / 20);
	}
	return known->marked;
}

static void blind(struct supervisor *s, uint32_t index, int error)
{
	if (!s->warned_blind)
		log_warn("process %d cannot be looked into (%s): its connections do not go through "
			 "tunnels",
			 (int)s->state->calls[index].notif.pid, strerror(-error));
	s->warned_blind = true;
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

/* landlock_restrict_self(): from now on a part of this launch may be kept from ports that we could
 * connect to; which part is not to be known. */
static void landlock_call(struct supervisor *s, uint32_t index)
{
	const struct call *call = &s->state->calls[index];
	if ((int32_t)call->args[0] >= 0) /* without rules it restricts nothing */
		s->state->programs[call->program].confined = true;
	notify_pass(s->state, index);
}

/* --- dispatch --- */

static void dispatch_native(struct supervisor *s, uint32_t index, struct call *call)
{
	switch (call->notif.data.nr) {
	case SYS_connect:
		connect_call(s, index);
		return;
	case SYS_getsockopt:
		so_error_call(s, index);
		return;
	case SYS_accept:
		call->args[3] = 0; /* accept4's flags */
		accept_call(s, index);
		return;
	case SYS_accept4:
		accept_call(s, index);
		return;
	case SYS_bind:
		bind_call(s, index);
		return;
	case SYS_sendto:
		send_call(s, index, SEND_TO);
		return;
	case SYS_landlock_restrict_self:
		landlock_call(s, index);
		return;
	case SYS_listen:
		listen_call(s, index);
		return;
	case SYS_setsockopt:
		steer_call(s, index);
		return;
#ifdef SYS_open
	case SYS_open:
#endif
	case SYS_openat:
		open_call(s, index);
		return;
	default:
		notify_pass(s->state, index);
	}
}

static void dispatch_i386(struct supervisor *s, uint32_t index, const struct call *call)
{
	switch (call->notif.data.nr) {
	case I386_SOCKETCALL:
		socketcall_call(s, index);
		return;
	case I386_CONNECT:
		connect_call(s, index);
		return;
	case I386_GETSOCKOPT:
		so_error_call(s, index);
		return;
	case I386_ACCEPT4:
		accept_call(s, index);
		return;
	case I386_BIND:
		bind_call(s, index);
		return;
	case I386_SENDTO:
		send_call(s, index, SEND_TO);
		return;
	case I386_LANDLOCK_RESTRICT_SELF:
		landlock_call(s, index);
		return;
	case I386_LISTEN:
		listen_call(s, index);
		return;
	case I386_OPEN:
	case I386_OPENAT:
		open_call(s, index);
		return;
	default:
		notify_pass(s->state, index);
	}
}

/* As of any program that cannot be looked into. */
static bool may_mean_tunnel(struct supervisor *s, const struct call *call)
{
	const struct program *program = &s->state->programs[call->program];
	if (call->notif.data.nr != SYS_connect && call->notif.data.nr != SYS_sendto)
		return true;
	uint64_t len = call->args[call->notif.data.nr == SYS_connect ? 2 : 5];
	/* its names are not answered: it may have the real addresses of mapped ones */
	if (s->state->mapped_names && !program->allow_direct)
		return blind_may_be_internet(len);
	return blind_may_mean_tunnel(s, call, len, -EPERM);
}

static void dispatch_marked(struct supervisor *s, uint32_t index, const struct call *call)
{
	int nr = call->notif.data.nr;
	bool i386 = call->notif.data.arch == AUDIT_ARCH_I386;
	bool pass =
		i386 ? nr == I386_BIND || nr == I386_LISTEN || nr == I386_OPEN || nr == I386_OPENAT
		     : nr == SYS_bind || nr == SYS_listen || nr == SYS_setsockopt ||
				nr == SYS_openat;
#ifdef SYS_open
	pass |= !i386 && nr == SYS_open;
#endif
	if (nr == SYS_landlock_restrict_self)
		landlock_call(s, index);
	else if (pass || (!i386 && !may_mean_tunnel(s, call)))
		notify_pass(s->state, index);
	else
		supervisor_refuse(s, index, EACCES);
}

void supervisor_dispatch(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	for (size_t i = 0; i < 6; i++)
		call->args[i] = call->notif.data.args[i];
	work_on_call(s->state, index);
	if (s->state->programs[call->program].marked_until && is_marked(s, call))
		dispatch_marked(s, index, call);
	else if (call->notif.data.arch == AUDIT_ARCH_I386)
		dispatch_i386(s, index, call);
	else
		dispatch_native(s, index, call);
}

/* One a turn: epoll_wait() tells whether there is another as well as poll() would, and what else
 * is. */
static void receive(struct supervisor *s, uint32_t program)
{
	uint32_t index;
	int err = notify_receive(s->state, program, &index);
	if (err == 0)
		supervisor_dispatch(s, index);
	else if (err == -ENOSPC)
		log_warn("too many calls wait: others have to wait in the kernel");
}

void supervisor_watch_program(struct supervisor *s, uint32_t program)
{
	notify_tune(s->state->programs[program].notify_fd);
	loop_watch(&s->loop, s->state->programs[program].notify_fd, EPOLLIN, false,
		   supervisor_id(s, OBJECT_NOTIFY, program));
}

/* No process with its filter is left. */
static void program_ended(struct supervisor *s, uint32_t index)
{
	if (s->state->control_fd < 0)
		_exit(0);
	supervisor_sweep(s); /* its calls are gone */
	loop_unwatch(&s->loop, s->state->programs[index].notify_fd);
	close_fd(&s->state->programs[index].notify_fd);
	share_end(s->state, index);
	program_give(s->state, index);
	eventfd_write(s->state->keeper_wakes, 1);
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
			receive(s, id.index);
		else
			program_ended(s, id.index);
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
		chores_event(s);
		open_wake(s); /* there may be a place for a chore now */
		lost_event(s);
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
		refuse_now(s, index);
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
			s->sweep_set = false;
			sweep(s, SWEEP_PART);
		} else if (id.kind == OBJECT_SEARCH) {
			search_event(s);
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
	s.sweep_pace = SWEEP;
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
	chores_event(&s);
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
