#include "supervisor/hand.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/proc.h"

int hand_own_read(int tid, uint64_t address, void *data, uint32_t len)
{
	struct iovec here = {data, len}, there = {(void *)(uintptr_t)address, len};
	ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);
	return got < 0 ? -errno : (int)got;
}

int hand_own_write(int tid, uint64_t address, const void *data, uint32_t len)
{
	struct iovec here = {(void *)(uintptr_t)data, len},
		     there = {(void *)(uintptr_t)address, len};
	ssize_t put = process_vm_writev(tid, &here, 1, &there, 1, 0);
	return put < 0 ? -errno : (int)put;
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

static int ask(struct state *state)
{
	struct hand *hand = &state->hand;
	struct timespec limit = {.tv_nsec = 100 * (long)MILLISECOND};
	if (getppid() != hand->keeper)
		return -ETIMEDOUT; /* it is gone */
	uint32_t number = ++hand->asked;
	eventfd_write(state->keeper_wakes, 1);
	for (int tries = 0; tries < 10; tries++) {
		uint32_t done = hand->done;
		if (done == number)
			return hand->result;
		futex_wait(&hand->done, done, &limit);
	}
	return hand->done == number ? hand->result : -ETIMEDOUT;
}

int hand_read(struct state *state, int tid, uint64_t address, void *data, uint32_t len)
{
	struct hand *hand = &state->hand;
	hand->op = HAND_READ, hand->tid = tid, hand->address = address, hand->len = len;
	int got = ask(state);
	if (got > 0)
		memcpy(data, hand->data, (size_t)got);
	return got;
}

int hand_write(struct state *state, int tid, uint64_t address, const void *data, uint32_t len)
{
	struct hand *hand = &state->hand;
	hand->op = HAND_WRITE, hand->tid = tid, hand->address = address, hand->len = len;
	memcpy(hand->data, data, len);
	return ask(state);
}

int hand_getfd(struct state *state, int pidfd, int number)
{
	struct hand *hand = &state->hand;
	hand->op = HAND_GETFD, hand->pidfd = pidfd, hand->number = number;
	return ask(state);
}

int hand_proc(struct state *state, enum hand_op op, int tid, int fd)
{
	struct hand *hand = &state->hand;
	hand->op = (uint8_t)op, hand->tid = tid, hand->number = fd;
	return ask(state);
}

/* The mapping is the supervisor's too, so nothing in it is believed that could do harm here. */
static int serve(struct hand *hand)
{
	uint32_t len = *(volatile uint32_t *)&hand->len;
	int tid = *(volatile int *)&hand->tid;
	if (len > HAND_DATA)
		return -EMSGSIZE;
	if (tid == getpid()) /* whoever may write to us is us */
		return -EPERM;
	switch ((enum hand_op)hand->op) {
	case HAND_READ:
		return hand_own_read(tid, hand->address, hand->data, len);
	case HAND_WRITE:
		return hand_own_write(tid, hand->address, hand->data, len);
	case HAND_GETFD:
		return hand_own_getfd(hand->pidfd, hand->number);
	case HAND_GROUP:
		return proc_group(tid);
	case HAND_TABLE_GROUP:
		return proc_table_group(tid);
	case HAND_FIND_SOCKET:
		return proc_find_socket(tid, hand->number);
	case HAND_FIND_HOLDER:
		return proc_find_holder(tid, hand->number);
	case HAND_OWNER:
		return proc_owner(tid);
	case HAND_COMM:
		return proc_comm(tid, (char *)hand->data);
	}
	return -ENOSYS;
}

void hand_serve(struct state *state)
{
	struct hand *hand = &state->hand;
	uint32_t asked = hand->asked;
	if (asked == hand->done)
		return;
	hand->result = serve(hand);
	hand->done = asked;
	syscall(SYS_futex, &hand->done, FUTEX_WAKE, 1, NULL, NULL, 0);
}
