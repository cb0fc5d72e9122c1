/* What goes on beside the supervisor has come to its end: chores, searches, and supervisors before
 * this one that did not end when they were killed. */

#include "supervisor/accept/accept.h"
#include "supervisor/accept/owed.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/work.h"
#include "supervisor/connect/connect.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/chore.h"

#define PART         (200 * MILLISECOND / 1000) /* that is worked on at a time */
#define STEP         8                          /* places between two looks at the clock */
#define SEARCH_SHARE 10 /* what a search has found takes one part in so many */

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
	while (s->searched_at < s->state->conn_pool.top && took < PART) {
		searched_one(s, s->searched_at++);
		took = s->searched_at % STEP ? took : loop_now() - began;
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

void beside_search_event(struct supervisor *s)
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

void beside_chores_event(struct supervisor *s)
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
void beside_lost_event(struct supervisor *s)
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
