#include "supervisor/process/hand_serve.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/log.h"
#include "supervisor/kernel/hand.h"
#include "supervisor/kernel/memory.h"
#include "supervisor/kernel/privileges.h"
#include "supervisor/kernel/proc.h"
#include "supervisor/process/watchdog.h"

/* What is done is done with a copy: the mapping may be asked for something else by the time that
 * something ends which nobody has waited for. */
struct task {
	struct hand asked;
	uint8_t data[HAND_DATA]; /* what was read */
};

static int write_pieces(const struct hand *asked)
{
	struct memory memory;
	if (asked->len > HAND_DATA || asked->len2 > HAND_DATA - asked->len)
		return -EMSGSIZE;
	int err = memory_open(&memory, asked->tid);
	/* it is that call's, if that stands now: its thread cannot have become another program's */
	if (err == 0)
		err = memory_is_of(asked->notify_fd, asked->id);
	if (err == 0)
		err = memory_write(&memory, asked->address, asked->data, asked->len);
	if (err == 0 && asked->len2)
		err = memory_write(&memory, asked->address2, asked->data + asked->len, asked->len2);
	memory_close(&memory);
	return err;
}

/* The mapping is the supervisor's too, so nothing in it is believed that could do harm here. */
static int serve(const struct state *state, struct task *task)
{
	const struct hand *asked = &task->asked;
	int tid = asked->tid;
	if (tid == getpid() || tid == state->hand.keeper) /* whoever may write to us is us */
		return -EPERM;
	switch ((enum hand_op)asked->op) {
	case HAND_READ:
		return asked->len > HAND_DATA
			       ? -EMSGSIZE
			       : hand_own_read(tid, asked->address, task->data, asked->len);
	case HAND_WRITE:
		return write_pieces(asked);
	case HAND_GETFD:
		return hand_own_getfd(asked->pidfd, asked->number);
	case HAND_GROUP:
		return proc_group(tid);
	case HAND_CALLER: {
		struct proc_caller caller;
		int size = proc_caller(tid, &caller);
		memcpy(task->data, &caller, sizeof(caller));
		return size;
	}
	case HAND_PARENT:
		return proc_parent(tid);
	case HAND_TABLE_GROUP:
		return proc_table_group(tid);
	case HAND_FIND_SOCKET:
		return proc_find_socket(tid, asked->number);
	case HAND_OWNER:
		return proc_owner(tid);
	case HAND_UID:
		return proc_uid(tid);
	case HAND_SCOPE:
		return proc_ptrace_scope();
	case HAND_TOLD:
		return proc_told(state, tid, (uint32_t)asked->number);
	case HAND_NETWORK:
		return proc_network(tid);
	case HAND_COMM:
		return proc_comm(tid, (char *)task->data);
	}
	return -ENOSYS;
}

static void answer(struct hand *hand, uint32_t asked, int result)
{
	hand->result = result;
	hand->done = asked;
	hand_futex_wake(&hand->done);
}

/* Only whose turn it is tells; a descriptor that nobody takes is closed. */
static void tell(struct hand *hand, uint32_t turn, const struct task *task, int result)
{
	uint32_t mine = turn;
	if (!atomic_compare_exchange_strong(&hand->turn, &mine, turn | 1)) {
		if (result >= 0 && task->asked.op == HAND_GETFD)
			close(result);
		return;
	}
	if (result > 0 && (task->asked.op == HAND_READ || task->asked.op == HAND_COMM ||
			   task->asked.op == HAND_CALLER))
		memcpy(hand->data, task->data, sizeof(hand->data));
	answer(hand, task->asked.asked, result);
	mine = turn | 1; /* whoever was answered may have ended our turn */
	atomic_compare_exchange_strong(&hand->turn, &mine, turn);
}

static void serve_one(struct state *state, uint32_t turn)
{
	struct hand *hand = &state->hand;
	struct task task;
	memcpy(&task.asked, hand, sizeof(task.asked));
	int result = serve(state, &task);
	tell(hand, turn, &task, result);
}

void hand_serve(struct state *state)
{
	if (state->hand.asked != state->hand.done)
		serve_one(state, state->hand.turn);
}

/* --- the hand itself --- */

static void work(struct state *state, uint32_t turn)
{
	struct hand *hand = &state->hand;
	while (hand->turn == turn) {
		uint32_t asked = hand->asked;
		if (asked == hand->done)
			hand_futex_wait(&hand->asked, asked, NULL);
		else
			serve_one(state, turn);
	}
}

struct begun {
	struct state *state;
	uint32_t turn;
};

static void *thread(void *of)
{
	const struct begun begun = *(struct begun *)of;
	struct hand *hand = &begun.state->hand;
	prctl(PR_SET_NAME, "gs-hand");
	privileges_raise();
	hand->thread = (pid_t)gettid();
	work(begun.state, begun.turn);
	int lost = hand->lost_threads; /* where it was given up */
	while (lost > 0 && !atomic_compare_exchange_weak(&hand->lost_threads, &lost, lost - 1))
		;
	return NULL;
}

static int begin_thread(struct keeper *keeper)
{
	static struct begun
		begun; /* read before another begins: it is given up only once it works */
	pthread_t made;
	begun = (struct begun){keeper->state, keeper->state->hand.turn};
	keeper->state->hand.thread = 0;
	int err = pthread_create(&made, NULL, thread, &begun);
	if (err == 0)
		pthread_detach(made);
	return -err;
}

static int begin_process(struct keeper *keeper)
{
	struct state *state = keeper->state;
	uint32_t turn = state->hand.turn;
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		keeper_set_name(keeper, "gs-hand");
		privileges_raise();
		if (getppid() == state->hand.keeper)
			work(state, turn);
		_exit(0);
	}
	keeper->hand = child;
	return child < 0 ? -errno : 0;
}

static void begin(struct keeper *keeper)
{
	struct hand *hand = &keeper->state->hand;
	hand->turn = (hand->turn | 1) + 1;
	keeper->hand_is_thread = hand->threaded;
	int err = hand->threaded ? begin_thread(keeper) : begin_process(keeper);
	hand->there = err == 0;
	if (err < 0) {
		log_warn("cannot start gs-hand: %s", strerror(-err));
		answer(hand, hand->asked, err);
	}
}

void hand_end(struct keeper *keeper)
{
	pid_t pid = keeper->hand;
	keeper->hand = -1;
	keeper->state->hand.there = false;
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	watchdog_end(keeper->state, pid);
}

/* The one that is a process may have been killed, or a thread be wanted. */
static void look_whether_it_is_there(struct keeper *keeper)
{
	struct hand *hand = &keeper->state->hand;
	if (hand->threaded != keeper->hand_is_thread)
		hand_end(keeper);
	if (keeper->hand > 0 && waitpid(keeper->hand, NULL, __WCLONE | WNOHANG) != 0) {
		keeper->hand = -1;
		hand->there = false;
	}
}

void hand_look_after(struct keeper *keeper)
{
	struct hand *hand = &keeper->state->hand;
	if (hand->asked == hand->done)
		return;
	look_whether_it_is_there(keeper);
	if (!hand->there)
		begin(keeper);
}

bool hand_sleeps(const struct keeper *keeper)
{
	pid_t tid = keeper->hand_is_thread ? keeper->state->hand.thread : keeper->hand;
	char state = tid > 0 ? proc_state(tid) : 0;
	return state == 'S' || state == 'D';
}

void hand_give_up(struct keeper *keeper)
{
	struct hand *hand = &keeper->state->hand;
	uint32_t turn = hand->turn & ~1u;
	uint32_t asked = hand->asked;
	if (!atomic_compare_exchange_strong(&hand->turn, &turn, turn + 2))
		return; /* it tells just now */
	if (keeper->hand_is_thread)
		hand->lost_threads++;
	hand_end(keeper);
	answer(hand, asked, -ETIMEDOUT);
}

void hand_adopt(struct state *state)
{
	struct hand *hand = &state->hand;
	hand->there = false;
	hand->lost_threads = 0;
	hand->turn = (hand->turn | 1) + 1;
	hand->done = (uint32_t)hand->asked;
}
