#ifndef GS_CONFINE_H
#define GS_CONFINE_H

/*
 * What the supervisor may ask of the kernel once it runs: to work on descriptors and programs that
 * it has been handed, and to make TCP sockets. It opens no file, starts no process, gains no right;
 * what needs that is the keeper's (hand.h, lookup.h). A list by system call, in seccomp's own
 * program (seccomp(2)), since building one with libseccomp takes longer than a launch may.
 *
 * Landlock would add nothing to a list without a call that opens or changes a file, or listens, and
 * would take away what the supervisor is for: the kernel lets a process that Landlock confines look
 * into no program that is confined less (tests/kernel/landlock_blinds.c).
 */

#include "supervisor/base/state.h"

/* For good, and for this process alone. From now on a call that is not in the list is not made: its
 * number is left in state->forbidden_call and the process ends by SIGSYS. 0 or -errno. */
int confine(struct state *state);

#endif
