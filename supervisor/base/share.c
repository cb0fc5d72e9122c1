#include "supervisor/base/share.h"

#include "supervisor/base/limit.h"
#include "supervisor/base/loop.h"

#define USERS_MOST     64 /* of one launch that have a share of their own */
#define CONTESTED_MOST 8
#define CONTESTED_FOR  (60 * SECOND)
#define ANY_OTHER      (UINT32_MAX - 1) /* the user that further ones of a launch are taken for */

static uint32_t *bucket(struct state *state, uint32_t program, uint32_t uid)
{
	uint64_t hash = ((uint64_t)program << 32 | uid) * 0x9e3779b97f4a7c15ull;
	return &state->share_buckets[(hash >> 32) % MAX_SHARES];
}

static uint32_t find(struct state *state, uint32_t program, uint32_t uid)
{
	uint32_t gen = state->programs[program].slot.gen;
	uint32_t index = *bucket(state, program, uid);
	while (index != NONE) {
		const struct share *share = &state->shares[index];
		if (share->program == program && share->gen == gen && share->uid == uid)
			break;
		index = share->next;
	}
	return index;
}

/* The one in which that user counts; NONE: there is none yet. A guest has one for all its users,
 * which root in it may choose as it likes. */
static uint32_t of(struct state *state, uint32_t program, uint32_t *uid)
{
	if (state->programs[program].guest)
		*uid = ANY_OTHER;
	uint32_t index = find(state, program, *uid);
	if (index == NONE && state->programs[program].shares >= USERS_MOST) {
		*uid = ANY_OTHER;
		index = find(state, program, *uid);
	}
	return index;
}

static uint32_t make(struct state *state, uint32_t program, uint32_t uid)
{
	uint32_t index = share_take(state);
	if (index == NONE)
		return NONE;
	struct share *share = &state->shares[index];
	share->program = program;
	share->gen = state->programs[program].slot.gen;
	share->uid = uid;
	share->next = *bucket(state, program, uid);
	*bucket(state, program, uid) = index;
	state->programs[program].shares++;
	return index;
}

static bool is_empty(const struct share *share)
{
	for (int part = 0; part < PART_COUNT; part++)
		if (share->has[part])
			return false;
	return share->contested == 0;
}

static void end_if_empty(struct state *state, uint32_t index)
{
	const struct share *share = &state->shares[index];
	if (!is_empty(share))
		return;
	uint32_t *at = bucket(state, share->program, share->uid);
	while (*at != index)
		at = &state->shares[*at].next;
	*at = share->next;
	if (state->programs[share->program].slot.gen == share->gen)
		state->programs[share->program].shares--;
	share_give(state, index);
}

bool share_full(struct state *state, uint32_t program, uint32_t uid, enum part part,
		enum limit limit)
{
	uint32_t index = of(state, program, &uid);
	return limit_reached(state, limit, index == NONE ? 0 : state->shares[index].has[part]);
}

uint32_t share_add(struct state *state, uint32_t program, uint32_t uid, enum part part)
{
	uint32_t index = of(state, program, &uid);
	if (index == NONE)
		index = make(state, program, uid);
	if (index != NONE)
		state->shares[index].has[part]++;
	return index;
}

void share_drop(struct state *state, uint32_t index, enum part part)
{
	if (index == NONE)
		return;
	state->shares[index].has[part]--;
	end_if_empty(state, index);
}

void share_contest(struct state *state, uint32_t index)
{
	if (index == NONE)
		return;
	struct share *share = &state->shares[index];
	uint64_t now = loop_now();
	const struct program *program = &state->programs[share->program];
	if (!program->slot.used)
		return; /* nobody would ever forget it */
	/* another process may take a connection from under us, once in a while */
	if (share->contested_at + CONTESTED_FOR < now)
		share->contested = 0;
	share->contested_at = now;
	share->contested++;
}

bool share_outlawed(const struct state *state, uint32_t index)
{
	return index != NONE && state->shares[index].contested >= CONTESTED_MOST &&
	       state->shares[index].contested_at + CONTESTED_FOR > loop_now();
}

uint32_t share_most(const struct state *state, enum part part)
{
	uint32_t most = 0;
	for (uint32_t i = 0; i < state->share_pool.top; i++)
		if (state->shares[i].slot.used && state->shares[i].has[part] > most)
			most = state->shares[i].has[part];
	return most;
}

void share_end(struct state *state, uint32_t program)
{
	uint32_t gen = state->programs[program].slot.gen;
	for (uint32_t i = 0; i < state->share_pool.top; i++) {
		struct share *share = &state->shares[i];
		if (!share->slot.used || share->program != program || share->gen != gen)
			continue;
		share->contested = 0;
		end_if_empty(state, i);
	}
}

/* The chains and the users of each launch are made again from what is contested; the rest goes, and
 * comes again with what counts in it. */
void share_recover(struct state *state)
{
	for (uint32_t i = 0; i < MAX_SHARES; i++)
		state->share_buckets[i] = NONE;
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		state->programs[i].shares = 0;
	for (uint32_t i = 0; i < state->share_pool.top; i++) {
		struct share *share = &state->shares[i];
		for (int part = 0; part < PART_COUNT; part++)
			share->has[part] = 0;
		share->slot.used = share->slot.used && share->contested &&
				   state->programs[share->program].slot.gen == share->gen;
		if (!share->slot.used)
			continue;
		share->next = *bucket(state, share->program, share->uid);
		*bucket(state, share->program, share->uid) = i;
		state->programs[share->program].shares++;
	}
	state_rebuild_shares(state);
}
