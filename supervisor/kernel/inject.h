#ifndef GS_INJECT_H
#define GS_INJECT_H

/*
 * A descriptor is put into a program's table. That ends when the thread that called has run; one
 * that does not get to run would have us wait. On a busy machine this happens once in a while; to
 * whom it happens often, it is given by chores (chore.h) for a while, and others do not wait.
 */

#include "supervisor/base/state.h"

/* Put fd into the table of the program that made the call: its number there, or -errno. A chore is
 * to do it: -EINTR, after we have waited and were interrupted, or -EBUSY, without that. */
int inject_descriptor(struct state *state, uint32_t call, int fd, bool cloexec);

#endif
