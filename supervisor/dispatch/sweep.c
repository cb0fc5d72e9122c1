/* From time to time, look for sockets that programs have closed, or left when they ended. */

#include "supervisor/accept/accept.h"
#include "supervisor/accept/watch.h"
#include "supervisor/base/work.h"
#include "supervisor/connect/connect.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/notify.h"

#define SWEEP_REST  (500 * MILLISECOND)
#define SWEEP_PART  (200 * MILLISECOND / 1000) /* of it, at a time … */
#define SWEEP_SHARE 50                         /* … which is one in so many */
#define SWEEP_STEP  8                          /* places between two looks at the clock */

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
	if (s->sweep_pace < SWEEP_PACE)
		s->sweep_pace = SWEEP_PACE;
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

void sweep_event(struct supervisor *s)
{
	s->sweep_set = false;
	sweep(s, SWEEP_PART);
}
