#ifndef GS_HAND_H
#define GS_HAND_H

/*
 * The keeper's hand does what a confined supervisor may not, or what Yama's ptrace_scope 1 lets
 * only an ancestor do, or what has to be done in a file of /proc: one thing at a time, while the
 * supervisor waits. Descriptors land in the table that all share, bytes in the mapping that all
 * share.
 *
 * It may be lost. What it works on is the programs', and they can make it wait for as long as they
 * like; then the watchdog gives it up (watchdog.h), and another one does what comes next. So it is
 * a process of its own, begun when it is first asked; a thread of the keeper only under Yama, for
 * which a process beside the program is no ancestor of it.
 */

#include "supervisor/base/state.h"

/* For the supervisor: have it done and wait. What the call gives: bytes moved, or a descriptor
 * (owned by the caller), or -errno (-ETIMEDOUT: the hand was given up, or the keeper is gone). len
 * may be at most HAND_DATA. While the keeper is stopped, this waits. */
int hand_read(struct state *state, int tid, uint64_t address, void *data, uint32_t len);
int hand_getfd(struct state *state, int pidfd, int number);

/* One piece, or two (len2 0: one), of memory that the thread of this call may write itself, while
 * the call stands: 0; -EFAULT: it may not; -ENOENT: the call is over; other -errno. Both pieces
 * together have at most HAND_DATA bytes. */
struct hand_piece {
	uint64_t address;
	const void *data;
	uint32_t len;
};
int hand_write(struct state *state, const struct call *call, struct hand_piece first,
	       struct hand_piece second);

/* What the function of proc.h that op stands for gives; fd: a socket to be found. */
int hand_proc(struct state *state, enum hand_op op, int tid, int fd);

/* For a supervisor that takes over: wait until what the one before it asked is done. */
void hand_settle(struct state *state);

/* The calls themselves, in the caller's own right: bytes moved, a descriptor, or -errno. */
int hand_own_read(int tid, uint64_t address, void *data, uint32_t len);
int hand_own_getfd(int pidfd, int number);

/* For both sides: wait while *word is value, for limit at most (NULL: for ever); wake one. */
struct timespec;
void hand_futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *limit);
void hand_futex_wake(_Atomic uint32_t *word);

#endif
