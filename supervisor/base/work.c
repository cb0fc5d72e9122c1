#include "supervisor/base/work.h"

#include <sys/timerfd.h>

void work_tick(int ticks, bool on)
{
	struct timespec each = {.tv_nsec = on ? (long)WORK_TICK : 0};
	timerfd_settime(ticks, 0, &(struct itimerspec){each, each}, NULL);
}

/* The keeper turns the timer off when it finds nothing new: it reads the number after that, and we
 * look after we have written it, so that one of us sees the other. */
static void set_watchdog_going(struct state *state)
{
	if (!atomic_exchange(&state->ticking, true))
		work_tick(state->ticks, true);
}

struct work_item work_of_nobody(void)
{
	return (struct work_item){
		.program = NONE, .uid = UNKNOWN_UID, .call = NONE, .conn = NONE, .listener = NONE};
}

struct work_item work_on(struct state *state, struct work_item item)
{
	struct work *work = &state->work;
	struct work_item before = work->item;
	uint32_t number = work->number;
	work->item = item;
	work->number = (number | 1) + 2; /* odd, and another one */
	if (!state->ticking)
		set_watchdog_going(state);
	return before;
}

struct work_item work_on_call(struct state *state, uint32_t index)
{
	const struct call *call = &state->calls[index];
	struct work_item item = work_of_nobody();
	item.program = call->program;
	item.tid = (int)call->notif.pid;
	item.call = index;
	if (call->state == CALL_HELD && call->kind == CALL_ACCEPT)
		item.listener = call->owner;
	else if (call->state == CALL_HELD && call->kind <= CALL_SO_ERROR)
		item.conn = call->owner;
	return work_on(state, item);
}

struct work_item work_on_conn(struct state *state, uint32_t index)
{
	const struct conn *conn = &state->conns[index];
	struct work_item item = work_of_nobody();
	item.program = conn->program;
	item.tid = conn->tid;
	item.uid = conn->uid;
	item.conn = index;
	item.listener = conn->listener;
	return work_on(state, item);
}

struct work_item work_on_listener(struct state *state, uint32_t index)
{
	const struct listener *listener = &state->listeners[index];
	struct work_item item = work_of_nobody();
	item.program = listener->program;
	item.tid = listener->tid[listener->holder];
	item.uid = listener->uid;
	item.listener = index;
	return work_on(state, item);
}

void work_go_on(struct state *state, struct work_item before)
{
	work_on(state, before);
}

void work_over(struct state *state)
{
	state->work.item = work_of_nobody();
	state->work.number = (state->work.number | 1) + 1;
}
