#ifndef GS_COPY_H
#define GS_COPY_H

/*
 * Files that the programs get in place of those that they open. The shim is copied by the
 * keeper: it is ours, and the same for all.
 *
 * Copies of a program's /etc/hosts have our names in front, each line marked as ours. The file may
 * be anything that the program can mount or link there, so it is read by a child of the keeper. The
 * child has the program's root, user and groups, no capabilities, none of our descriptors and none
 * of our secrets. It may hang for ever: nobody waits for it. It writes into memory that it shares
 * with the keeper.
 *
 *     the supervisor  takes a copy, holds the call, and says that it is wanted
 *     the keeper      starts a child when its turn comes, and has the result once that has ended
 *     the supervisor  answers the call, and says that it is not wanted any more
 *     the keeper      closes what it had opened; a child that still runs is killed first
 *
 * Only the supervisor writes `wanted`, only the keeper `stage`.
 */

#include <fcntl.h>
#include <signal.h>

#include "supervisor/base/state.h"

#define COPY_SECONDS 10     /* that a call may wait for its copy */
#define COPY_SIGNAL  SIGURG /* of a child that has ended; one that is blocked in the keeper */

/* The flags of open(2) that say how a regular file is read. With others the call is another one. */
#define COPY_FLAGS                                                                                 \
	(O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_APPEND | O_NOATIME | O_NOFOLLOW | O_SYNC | O_DSYNC)

/* A result: the kernel has to make the call, since it would not read a regular file. */
#define COPY_PASS 1

/* For the supervisor: a free copy, for what the caller asked for (flags of open(2)); NONE: too many
 * are wanted, by all or by that launch. */
uint32_t copy_take(struct state *state, const struct call *call, enum copy_what what, int flags);
void copy_want(struct state *state, uint32_t copy);
void copy_leave(struct state *state, uint32_t copy); /* it is not wanted any more */

/* For the keeper, in each turn: start what is wanted, as far as the bounds allow, and take what
 * children have made. shim: its path, "" where there is none. */
void copy_run(struct state *state, const char *shim);

/* For the keeper: kill all children. They are not waited for. */
void copy_stop(struct state *state);

/* For a keeper that took the place of one whose processes and descriptors are gone. */
void copy_begin_again(struct state *state);

/* --- copy_child.c --- */

/* Where the child writes, memory that the keeper shares. */
struct copy_area {
	char *text;
	size_t len, most; /* what stands there, ours; and what there is room for */
	struct copy_note *note;
};

/* What the child leaves behind. */
struct copy_note {
	int32_t result; /* 0: text has len bytes now; COPY_PASS; or -errno */
	uint64_t len;
};

/* "/proc/NUMBER/name" for what is about a thread, or one of our own descriptors, without stdio. In
 * memory that the next one takes. */
const char *copy_proc_path(const char *before, int number, const char *after);

/* In the child, which still has all rights of the keeper. */
_Noreturn void copy_child(int tid, int flags, struct copy_area *area, pid_t keeper);

#endif
