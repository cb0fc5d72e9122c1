#include "supervisor/process/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/base/log.h"
#include "supervisor/base/loop.h"
#include "supervisor/base/mark.h"
#include "supervisor/base/work.h"
#include "supervisor/kernel/proc.h"
#include "supervisor/process/chore_run.h"
#include "supervisor/process/hand_serve.h"

#define INTERRUPT    1      /* ticks over which something stands that is interrupted … */
#define GIVE_UP      10     /* … and ended */
#define SHORTLY      SECOND /* who lives longer was able to */
#define ENDING_TRIES 10000
#define ENDING       (200 * 1000) /* ns between two looks at a child that is to end */

int watchdog_open(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* In a call, and not because somebody stopped it or it gets no processor. */
static bool sleeps(pid_t pid)
{
	char state = proc_state(pid);
	return state == 'S' || state == 'D';
}

static uint32_t uid_of(const struct work_item *item)
{
	int uid = item->tid > 0 ? proc_uid(item->tid) : -ESRCH;
	return uid < 0 ? UNKNOWN_UID : (uint32_t)uid;
}

/* The owner of a socket is already known. The owner of a call's thread is asked for twice: if it
 * has changed meanwhile (a setuid program, a reused thread number), it counts as unknown. */
static void ascertain(const struct keeper *keeper, struct work_item *item)
{
	if (item->uid == UNKNOWN_UID && uid_of(item) == keeper->seen_uid)
		item->uid = keeper->seen_uid;
}

void watchdog_blame(struct state *state, const struct work_item *item, const char *what)
{
	uint32_t uid = item->uid;
	unsigned seconds = mark_add(state, item->program, uid, loop_now());
	if (seconds && uid != UNKNOWN_UID)
		log_warn("process %d held up %s: connections of uid %u in this launch are refused "
			 "for %u s",
			 item->tid, what, (unsigned)uid, seconds);
	else
		log_warn("process %d held up %s%s", item->tid, what,
			 seconds ? ": connections in this launch are refused for a while" : "");
}

/* --- the supervisor --- */

void watchdog_lose(struct state *state, pid_t pid)
{
	for (uint32_t i = 0; i < MAX_LOST; i++)
		if (state->lost[i].pid == 0) {
			state->lost[i].pid = pid;
			return;
		}
}

/* It counts as ended; it leaves its call when that returns, and does nothing more. */
static void replace(struct keeper *keeper)
{
	struct state *state = keeper->state;
	state->blamed = state->work.item;
	state->blamed_pid = keeper->supervisor;
	ascertain(keeper, &state->blamed);
	watchdog_blame(state, &state->blamed, "the supervisor");
	kill(keeper->supervisor, SIGKILL);
	watchdog_lose(state, keeper->supervisor);
	keeper->supervisor = -1;
	bool early = loop_now() - keeper->started < SHORTLY;
	keeper->failures = early && state->blamed.program == NONE ? keeper->failures + 1 : 0;
	state->counters.restarts++;
}

static void look_at_supervisor(struct keeper *keeper, uint32_t number)
{
	struct state *state = keeper->state;
	if (number != keeper->watched || !(number & 1) || state->work.asks ||
	    keeper->supervisor <= 0) {
		keeper->watched = number;
		keeper->stands = 0;
		return;
	}
	if (++keeper->stands == INTERRUPT)
		keeper->seen_uid = uid_of(&state->work.item);
	if (keeper->stands < GIVE_UP && keeper->stands >= INTERRUPT)
		kill(keeper->supervisor, SIGALRM);
	if (keeper->stands < GIVE_UP || !sleeps(keeper->supervisor))
		return;
	keeper->stands = 0;
	replace(keeper);
}

/* --- the hand --- */

static void look_at_hand(struct keeper *keeper)
{
	struct state *state = keeper->state;
	uint32_t asked = state->hand.asked;
	if (asked == state->hand.done || asked != keeper->hand_watched) {
		keeper->hand_watched = asked;
		keeper->hand_stands = 0;
		return;
	}
	if (++keeper->hand_stands == INTERRUPT)
		keeper->seen_uid = uid_of(&state->work.item);
	if (keeper->hand_stands < GIVE_UP || !hand_sleeps(keeper))
		return;
	keeper->hand_stands = 0;
	struct work_item item = state->work.item;
	ascertain(keeper, &item);
	watchdog_blame(state, &item, "gs-hand");
	hand_give_up(keeper);
}

void watchdog_tick(struct keeper *keeper)
{
	struct state *state = keeper->state;
	uint64_t ticks;
	uint32_t before = keeper->watched, number = state->work.number;
	if (read(state->ticks, &ticks, sizeof(ticks)) < 0)
		return;
	if (!keeper->trying) {
		look_at_supervisor(keeper, number);
		look_at_hand(keeper);
	}
	bool chores = chore_watch(keeper, GIVE_UP * WORK_TICK);
	if (chores || number != before || number & 1)
		return;
	state->ticking = false;
	work_tick(state->ticks, false);
	/* whoever has set it going since may have done so before it was turned off here */
	if (state->ticking || state->work.number != number) {
		state->ticking = true;
		work_tick(state->ticks, true);
	}
}

/* --- those that do not end --- */

bool watchdog_reap(struct keeper *keeper)
{
	struct state *state = keeper->state;
	bool some = false;
	for (uint32_t i = 0; i < MAX_LOST; i++) {
		struct lost *lost = &state->lost[i];
		if (lost->pid <= 0)
			continue;
		if (waitpid(lost->pid, NULL, __WCLONE | WNOHANG) == 0) {
			some = true;
			continue;
		}
		lost->pid = 0;
		state->lost_ended = true;
		eventfd_write(state->supervisor_wakes, 1);
	}
	return some;
}

void watchdog_end(struct state *state, pid_t child)
{
	const struct timespec pause = {.tv_nsec = ENDING};
	for (int tries = 0; waitpid(child, NULL, __WCLONE | WNOHANG) == 0; tries++) {
		if (sleeps(child) || tries == ENDING_TRIES) {
			watchdog_lose(state, child);
			return;
		}
		nanosleep(&pause, NULL);
	}
}

void watchdog_end_supervisor(struct keeper *keeper)
{
	pid_t pid = keeper->supervisor;
	if (pid <= 0)
		return;
	keeper->supervisor = -1;
	kill(pid, SIGKILL);
	watchdog_end(keeper->state, pid);
}
