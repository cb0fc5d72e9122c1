#include "supervisor/hand.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/keeper.h"
#include "supervisor/log.h"
#include "supervisor/memory.h"
#include "supervisor/privileges.h"
#include "supervisor/proc.h"
#include "supervisor/watchdog.h"

#define LOOK_MS 100 /* between two looks at whether the keeper is there */

int hand_own_read(int tid, uint64_t address, void *data, uint32_t len)
{
	struct iovec here = {data, len}, there = {(void *)(uintptr_t)address, len};
	ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);
	return got < 0 ? -errno : (int)got;
}

int hand_own_getfd(int pidfd, int number)
{
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	return fd < 0 ? -errno : fd;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *limit)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, limit, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* --- asking --- */

static int wait_for_answer(struct state *state, uint32_t number)
{
	struct hand *hand = &state->hand;
	const struct timespec limit = {.tv_nsec = LOOK_MS * (long)MILLISECOND};
	uint32_t done;
	state->work.asks = true;
	if (!hand->there)
		eventfd_write(state->keeper_wakes, 1);
	while ((done = hand->done) != number && getppid() == hand->keeper) {
		futex_wake(&hand->asked); /* who asked may have died before that */
		futex_wait(&hand->done, done, &limit);
		if (hand->done == done) /* it may be gone */
			eventfd_write(state->keeper_wakes, 1);
	}
	state->work.asks = false;
	return done == number ? hand->result : -ETIMEDOUT;
}

static int ask_once(struct state *state, enum hand_op op)
{
	struct hand *hand = &state->hand;
	uint32_t number = hand->asked + 1;
	hand->op = (uint8_t)op;
	hand->asked = number;
	return wait_for_answer(state, number);
}

/* A process may not look where Yama lets only ancestors; then a thread of the keeper is asked. */
static int ask(struct state *state, enum hand_op op)
{
	int result = ask_once(state, op);
	if (result != -EPERM || state->hand.threaded || ask_once(state, HAND_SCOPE) != 1)
		return result;
	state->hand.threaded = true;
	state->hand.there = false;
	state->hand.turn = (state->hand.turn | 1) + 1; /* the process serves no more */
	return ask_once(state, op);
}

void hand_settle(struct state *state)
{
	if (state->hand.asked != state->hand.done)
		wait_for_answer(state, state->hand.asked);
}

int hand_read(struct state *state, int tid, uint64_t address, void *data, uint32_t len)
{
	struct hand *hand = &state->hand;
	hand->tid = tid, hand->address = address, hand->len = len;
	int got = ask(state, HAND_READ);
	if (got > 0)
		memcpy(data, hand->data, (size_t)got);
	return got;
}

int hand_write(struct state *state, const struct call *call, struct hand_piece first,
	       struct hand_piece second)
{
	struct hand *hand = &state->hand;
	if (first.len + second.len > HAND_DATA)
		return -EMSGSIZE;
	hand->tid = (int)call->notif.pid;
	hand->notify_fd = state->programs[call->program].notify_fd;
	hand->id = call->notif.id;
	hand->address = first.address, hand->len = first.len;
	hand->address2 = second.address, hand->len2 = second.len;
	memcpy(hand->data, first.data, first.len);
	if (second.len)
		memcpy(hand->data + first.len, second.data, second.len);
	return ask(state, HAND_WRITE);
}

int hand_getfd(struct state *state, int pidfd, int number)
{
	struct hand *hand = &state->hand;
	hand->pidfd = pidfd, hand->number = number;
	return ask(state, HAND_GETFD);
}

int hand_proc(struct state *state, enum hand_op op, int tid, int fd)
{
	struct hand *hand = &state->hand;
	hand->tid = tid, hand->number = fd;
	return ask(state, op);
}

/* --- doing --- */

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
	case HAND_COMM:
		return proc_comm(tid, (char *)task->data);
	}
	return -ENOSYS;
}

static void answer(struct hand *hand, uint32_t asked, int result)
{
	hand->result = result;
	hand->done = asked;
	futex_wake(&hand->done);
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
			futex_wait(&hand->asked, asked, NULL);
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
		log_warn("the keeper's hand cannot be started: %s", strerror(-err));
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
