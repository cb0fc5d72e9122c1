#ifndef GS_NOTIFY_H
#define GS_NOTIFY_H

/*
 * Notifications: received into the shared mapping, answered exactly once. seccomp_unotify(2).
 * ENOENT everywhere means that the program went away or that a signal took the call back: normal.
 */

#include "supervisor/base/state.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* Receive one notification of a program into a fresh call; *index says which. The descriptor must
 * be readable, or this blocks. 0; -ENOENT: it was taken back meanwhile; -ENOSPC: no call is free;
 * other -errno.
 */
int notify_receive(struct state *state, uint32_t program, uint32_t *index);

/* Is the call still waiting? False: what was read of its program may be another's. */
bool notify_valid(const struct state *state, const struct call *call);

/* Answers; each frees the call, which must be in no list. value: what the call returns; error: a
 * positive errno; pass: the kernel runs the call as it was made. 0 or -ENOENT. */
int notify_return(struct state *state, uint32_t call, int64_t value);
int notify_fail(struct state *state, uint32_t call, int error);
int notify_pass(struct state *state, uint32_t call);

/* Free a call that cannot be answered any more. */
void notify_forget(struct state *state, uint32_t call);

/* Put a copy of fd into the table of who made the call of that id: its number there, or -errno
 * (-EMFILE: the table is full; -ENOENT). The call still waits. It is not told the number in the
 * same step (ADDFD_FLAG_SEND): that makes the call return 0 where it is interrupted in between.
 * This waits until the thread has run, which one of low priority may not do for long: -EINTR, where
 * a signal ends that; then nothing was put there. */
int notify_inject(int notify_fd, uint64_t id, int fd, bool cloexec);

/* Is it a listener descriptor at all? */
bool notify_is_listener(int fd);

/* Ask the kernel to run whoever is woken by a program's notifications and answers at once, on the
 * same CPU (Linux 6.6): 78 us become 50. Where it cannot, nothing is lost. */
void notify_tune(int notify_fd);

#endif
