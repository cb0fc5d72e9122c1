#include "supervisor/base/mark.h"

#define FIRST       60u             /* seconds that a mark holds the first time … */
#define LONGEST     (24u * 60 * 60) /* … and at most */
#define SUBORDINATE 100000u         /* uids from here on are handed out in ranges … */
#define RANGE       65536u          /* … of so many */
#define UNTOLD_MOST 3               /* times that somebody of a launch may hold us up unknown */

/* Who has subordinate ids (subuid(5)) has as many users as he likes: each such range is one. */
static uint32_t whose(uint32_t uid)
{
	return uid == UNKNOWN_UID || uid < SUBORDINATE
		       ? uid
		       : SUBORDINATE + (uid - SUBORDINATE) / RANGE * RANGE;
}

static bool is_of(const struct state *state, const struct mark *mark, uint32_t program)
{
	return mark->times && mark->program == program &&
	       mark->gen == state->programs[program].slot.gen;
}

/* The mark of these, or the place for it: a free one, or the one that ends first. */
static struct mark *place(struct state *state, uint32_t program, uint32_t uid)
{
	struct mark *best = &state->marks[0];
	for (uint32_t i = 0; i < MAX_MARKS; i++) {
		struct mark *mark = &state->marks[i];
		if (is_of(state, mark, program) && mark->uid == uid)
			return mark;
		if (mark->until < best->until)
			best = mark;
	}
	*best = (struct mark){
		.program = program, .gen = state->programs[program].slot.gen, .uid = uid};
	return best;
}

unsigned mark_add(struct state *state, uint32_t program, uint32_t uid, uint64_t now)
{
	if (program >= MAX_PROGRAMS)
		return 0;
	uid = whose(uid);
	struct mark *mark = place(state, program, uid);
	mark->times++;
	if (uid == UNKNOWN_UID && mark->times < UNTOLD_MOST) {
		mark->until = now; /* it stays as long as there is room */
		return 0;
	}
	unsigned doubled = mark->times > 12 ? 12 : mark->times - 1;
	unsigned seconds = FIRST << doubled;
	if (seconds > LONGEST)
		seconds = LONGEST;
	mark->until = now + seconds * SECOND;
	if (state->programs[program].marked_until < mark->until)
		state->programs[program].marked_until = mark->until;
	state->counters.marks++;
	return seconds;
}

bool mark_any(const struct state *state, uint32_t program, uint64_t now)
{
	return state->programs[program].marked_until > now;
}

bool mark_holds(const struct state *state, uint32_t program, uint32_t uid, uint64_t now)
{
	uid = whose(uid);
	for (uint32_t i = 0; i < MAX_MARKS; i++) {
		const struct mark *mark = &state->marks[i];
		if (is_of(state, mark, program) && mark->until > now &&
		    (mark->uid == uid || mark->uid == UNKNOWN_UID || uid == UNKNOWN_UID))
			return true;
	}
	return false;
}
