#include "supervisor/kernel/chore.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/base/loop.h"
#include "supervisor/kernel/hand.h"
#include "supervisor/kernel/socket.h"

#define EACH_MOST 16 /* of one launch at a time: closing needs none then */

static struct state *whose;

struct chore *chore_find(struct state *state, enum chore_stage stage)
{
	for (uint32_t i = 0; i < MAX_CHORES; i++)
		if (state->chores[i].stage == stage)
			return &state->chores[i];
	return NULL;
}

/* Done, and nobody waits for it. */
static bool is_left_over(const struct chore *chore)
{
	return chore->stage == CHORE_DONE && chore->op <= CHORE_DISCARD;
}

static uint32_t count_of(const struct state *state, uint32_t program)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < MAX_CHORES; i++)
		count += state->chores[i].stage != CHORE_FREE && !is_left_over(&state->chores[i]) &&
			 state->chores[i].program == program;
	return count;
}

/* A place for one; those that nobody waits for are given back when their place is needed. */
static struct chore *take(struct state *state, enum chore_op op, uint32_t program)
{
	struct chore *chore = chore_find(state, CHORE_FREE);
	if (program != NONE && count_of(state, program) >= EACH_MOST)
		return NULL;
	for (uint32_t i = 0; !chore && i < MAX_CHORES; i++)
		if (is_left_over(&state->chores[i]))
			chore = &state->chores[i];
	if (!chore)
		return NULL;
	*chore = (struct chore){.op = (uint8_t)op,
				.program = program,
				.uid = UNKNOWN_UID,
				.fd = -1,
				.conn = NONE,
				.call = NONE,
				.began = loop_now()};
	return chore;
}

static void want(struct state *state, struct chore *chore)
{
	chore->stage = CHORE_WANTED;
	eventfd_write(state->keeper_wakes, 1);
}

static bool close_by_chore(uint32_t program, uint32_t uid, int tid, int fd)
{
	struct chore *chore = take(whose, CHORE_CLOSE, program);
	if (!chore)
		return false;
	chore->uid = uid;
	chore->tid = tid;
	chore->blamed = program != NONE; /* else it is a socket, which ends by itself */
	chore->fd = fd;
	want(whose, chore);
	return true;
}

/* close() of a socket waits where it is the last, and lingers; one that listens does not. */
static bool lingers(int fd)
{
	struct linger linger = socket_linger(fd);
	return linger.l_onoff && linger.l_linger > 0 && !socket_is_listening(fd);
}

static uint32_t count_of_owner(uint32_t uid)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < MAX_CHORES; i++)
		count += whose->chores[i].stage != CHORE_FREE &&
			 whose->chores[i].stage != CHORE_DONE &&
			 whose->chores[i].op == CHORE_CLOSE && whose->chores[i].uid == uid;
	return count;
}

/* Where one user has many that linger, the next ones are closed here, and interrupted where that
 * waits: nobody else is to find no place. */
void chore_release(int fd)
{
	if (!lingers(fd)) {
		close(fd);
		return;
	}
	uint32_t uid = socket_owner(fd);
	if (count_of_owner(uid) < EACH_MOST && close_by_chore(NONE, uid, 0, fd))
		return;
	socket_close(fd);
}

void chore_release_odd(uint32_t program, int tid, int fd)
{
	int uid = hand_proc(whose, HAND_UID, tid, -1);
	if (!close_by_chore(program, uid < 0 ? UNKNOWN_UID : (uint32_t)uid, tid, fd))
		close(fd);
}

void chore_discard_also(int fd)
{
	struct chore *chore = chore_find(whose, CHORE_GATHERING);
	if (chore && chore->count == DISCARD_MOST) {
		want(whose, chore);
		chore = NULL;
	}
	if (!chore)
		chore = take(whose, CHORE_DISCARD, NONE);
	if (!chore) {
		chore_release(fd);
		return;
	}
	chore->stage = CHORE_GATHERING;
	chore->fds[chore->count] = fd;
	chore->count++;
}

void chore_discard_those(void)
{
	struct chore *chore = chore_find(whose, CHORE_GATHERING);
	if (chore)
		want(whose, chore);
}

void chore_discard(int fd)
{
	chore_discard_also(fd);
	chore_discard_those();
}

/* What the supervisor before this one was about to have discarded, is. */
void chore_init(struct state *state)
{
	whose = state;
	chore_discard_those();
}

int chore_inject(struct state *state, uint32_t conn, int fd, uint32_t call, bool cloexec)
{
	struct chore *chore = take(state, CHORE_INJECT, state->calls[call].program);
	int own = conn == NONE || !chore ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (!chore || own < 0)
		return -EAGAIN;
	chore->conn = conn;
	chore->call = call;
	chore->gen = conn == NONE ? 0 : state->conns[conn].slot.gen;
	chore->fd = own;
	chore->notify_fd = state->programs[state->calls[call].program].notify_fd;
	chore->id = state->calls[call].notif.id;
	chore->cloexec = cloexec;
	want(state, chore);
	return 0;
}

bool chore_injects(const struct state *state, uint32_t conn)
{
	for (uint32_t i = 0; i < MAX_CHORES; i++)
		if (state->chores[i].stage != CHORE_FREE && state->chores[i].op == CHORE_INJECT &&
		    state->chores[i].conn == conn)
			return true;
	return false;
}

bool chore_injects_for(const struct state *state, uint32_t call)
{
	for (uint32_t i = 0; i < MAX_CHORES; i++)
		if (state->chores[i].stage != CHORE_FREE && state->chores[i].op == CHORE_INJECT &&
		    state->chores[i].call == call &&
		    state->chores[i].id == state->calls[call].notif.id)
			return true;
	return false;
}

bool chore_search(struct state *state)
{
	for (uint32_t i = 0; i < MAX_CHORES; i++)
		if (state->chores[i].stage != CHORE_FREE && state->chores[i].op == CHORE_SEARCH)
			return true; /* the next one begins when that is over */
	struct chore *chore = take(state, CHORE_SEARCH, NONE);
	if (chore)
		want(state, chore);
	return chore != NULL;
}

struct chore *chore_done(struct state *state)
{
	for (uint32_t i = 0; i < MAX_CHORES; i++)
		if (state->chores[i].stage == CHORE_DONE && state->chores[i].op > CHORE_DISCARD)
			return &state->chores[i];
	return NULL;
}

void chore_give(struct chore *chore)
{
	if (chore->op == CHORE_INJECT)
		close_fd(&chore->fd);
	chore->stage = CHORE_FREE;
}
