#include "supervisor/process/chore_run.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/base/loop.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/privileges.h"
#include "supervisor/kernel/search.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/process/watchdog.h"

/* --- the process --- */

static int do_it(struct state *state, struct chore *chore)
{
	switch ((enum chore_op)chore->op) {
	case CHORE_DISCARD:
		for (uint32_t i = 0; i < chore->count; i++) {
			if (chore->fds[i] < 0)
				continue;
			socket_disconnect(chore->fds[i]);
			close_fd(&chore->fds[i]);
		}
		return 0;
	case CHORE_CLOSE:
		close_fd(&chore->fd);
		return 0;
	case CHORE_INJECT:
		return notify_inject(chore->notify_fd, chore->id, chore->fd, chore->cloexec);
	case CHORE_SEARCH:
		privileges_raise();
		search_holders(state);
		return 0;
	}
	return -ENOSYS;
}

_Noreturn static void begin(struct keeper *keeper, struct chore *chore)
{
	struct state *state = keeper->state;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	keeper_set_name(keeper, "gs-chore");
	chore->result = do_it(state, chore);
	chore->stage = CHORE_DONE;
	eventfd_write(chore->op > CHORE_DISCARD ? state->supervisor_wakes : state->keeper_wakes, 1);
	_exit(0);
}

/* --- the keeper --- */

void chore_run(struct keeper *keeper)
{
	for (struct chore *chore; (chore = chore_find(keeper->state, CHORE_WANTED));) {
		pid_t *before = &keeper->chores[chore - keeper->state->chores];
		if (*before > 0 && waitpid(*before, NULL, __WCLONE | WNOHANG) == 0)
			watchdog_lose(keeper->state, *before); /* it is about to end, or never */
		chore->stage = CHORE_RUNNING;
		pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, 0);
		if (child == 0)
			begin(keeper, chore);
		*before = child;
		if (child > 0)
			continue;
		chore->result = -EAGAIN;
		chore->stage = CHORE_DONE;
		eventfd_write(keeper->state->supervisor_wakes, 1);
	}
}

void chore_stop(struct keeper *keeper)
{
	for (uint32_t i = 0; i < MAX_CHORES; i++) {
		if (keeper->chores[i] <= 0)
			continue;
		kill(keeper->chores[i], SIGKILL);
		watchdog_lose(keeper->state, keeper->chores[i]);
		keeper->chores[i] = 0;
	}
}

/* A chore that was killed is over too. */
static bool reap(struct keeper *keeper, uint32_t i)
{
	struct chore *chore = &keeper->state->chores[i];
	if (keeper->chores[i] <= 0)
		return false;
	if (waitpid(keeper->chores[i], NULL, __WCLONE | WNOHANG) == 0)
		return true;
	keeper->chores[i] = 0;
	if (chore->stage == CHORE_RUNNING) {
		chore->result = -ECHILD;
		chore->stage = CHORE_DONE;
		eventfd_write(keeper->state->supervisor_wakes, 1);
	}
	return false;
}

bool chore_watch(struct keeper *keeper, uint64_t limit)
{
	bool some = false;
	uint64_t now = loop_now();
	for (uint32_t i = 0; i < MAX_CHORES; i++) {
		struct chore *chore = &keeper->state->chores[i];
		if (!reap(keeper, i))
			continue;
		bool stands = chore->stage == CHORE_RUNNING && now - chore->began > limit;
		some |= !stands;
		if (!stands || !chore->blamed)
			continue;
		chore->blamed = false;
		const struct work_item item = {
			.program = chore->program, .tid = chore->tid, .uid = chore->uid};
		watchdog_blame(keeper->state, &item, "the closing of a file");
	}
	return some;
}

void chore_adopt(struct state *state)
{
	for (uint32_t i = 0; i < MAX_CHORES; i++) {
		struct chore *chore = &state->chores[i];
		if (chore->stage != CHORE_RUNNING)
			continue;
		if (chore->op == CHORE_DISCARD || (chore->op == CHORE_CLOSE && chore->fd >= 0)) {
			chore->stage = CHORE_WANTED;
			continue;
		}
		chore->result = -ECHILD;
		chore->stage = chore->op == CHORE_INJECT ? CHORE_FREE : CHORE_DONE;
	}
}
