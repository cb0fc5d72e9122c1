#ifndef GS_NEEDS_H
#define GS_NEEDS_H

/*
 * What redirecting needs of the kernel, tried before a command starts: filters of containers and
 * service managers forbid single calls, and a program that cannot be served must not run.
 *
 * Two trials, since two processes do the work. The keeper tries each call on the command's process,
 * and where that fails on itself: so a call that is forbidden is told from a process that may not
 * be looked into. Then that process makes a call that the filter hands to the supervisor, which
 * answers it by all its means, under Yama by the keeper's hand (trial.c). A filter may end who
 * makes a call, so what is tried is written down before.
 */

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/control.h"

struct needs {
	pid_t child;             /* a fork of this process, unchanged … */
	int child_fd;            /* … and a descriptor that it has */
	int notify_fd;           /* the listener descriptor of its filter */
	_Atomic uint8_t *trying; /* enum need, for who sees us end; may be NULL */
	enum need failed;        /* what failed; NEED_NONE: a call works, but not on the child */
};

/* For the keeper: 0, or -errno of what failed first. */
int needs_try(struct needs *needs);

/* Is it the call itself that is forbidden? Tried on this process: 0 or -errno. Of the calls that
 * need no file. */
int needs_try_own(enum need need);

#endif
