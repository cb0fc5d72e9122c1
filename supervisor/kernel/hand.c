#include "supervisor/kernel/hand.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "protocol/older.h"

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

void hand_futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *limit)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, limit, NULL, 0);
}

void hand_futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int wait_for_answer(struct state *state, uint32_t number)
{
	struct hand *hand = &state->hand;
	const struct timespec limit = {.tv_nsec = LOOK_MS * (long)MILLISECOND};
	uint32_t done;
	state->work.asks = true;
	if (!hand->there)
		eventfd_write(state->keeper_wakes, 1);
	while ((done = hand->done) != number && getppid() == hand->keeper) {
		hand_futex_wake(&hand->asked); /* who asked may have died before that */
		hand_futex_wait(&hand->done, done, &limit);
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
