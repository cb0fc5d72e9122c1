#ifndef GS_HAND_H
#define GS_HAND_H

/*
 * The keeper's hand. With Yama's ptrace_scope 1 only an ancestor may look into a program: the
 * keeper is one, the supervisor is not. On EPERM the supervisor asks the keeper to make the call:
 * descriptors land in the table that both share, bytes in the mapping that both share. And what
 * has to be read from files, which a confined supervisor may not open, the keeper reads (proc.h).
 */

#include "supervisor/state.h"

/* For the supervisor: have it done and wait, at most a second. What the call gives: bytes moved, or
 * a descriptor (owned by the caller), or -errno (-ETIMEDOUT: the keeper does not answer). len may
 * be at most HAND_DATA. */
int hand_read(struct state *state, int tid, uint64_t address, void *data, uint32_t len);
int hand_write(struct state *state, int tid, uint64_t address, const void *data, uint32_t len);
int hand_getfd(struct state *state, int pidfd, int number);

/* What the function of proc.h that op stands for gives; fd: a socket to be found. */
int hand_proc(struct state *state, enum hand_op op, int tid, int fd);

/* For the keeper: do what is asked, if anything is. */
void hand_serve(struct state *state);

/* The calls themselves, in the caller's own right: bytes moved, a descriptor, or -errno. */
int hand_own_read(int tid, uint64_t address, void *data, uint32_t len);
int hand_own_write(int tid, uint64_t address, const void *data, uint32_t len);
int hand_own_getfd(int pidfd, int number);

#endif
