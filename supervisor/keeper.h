#ifndef GS_KEEPER_H
#define GS_KEEPER_H

/*
 * The keeper: child subreaper and ancestor of everything in a launch. It starts the command, which
 * carries the filter, and the supervisor, which shares its descriptor table and its mapping, and
 * stays until the last process with the filter is gone. It parses nothing that comes from outside.
 */

#include <signal.h>

#include "protocol/control.h"
#include "supervisor/filter.h"
#include "supervisor/state.h"

struct launch {
	struct state *state;
	struct filter_wants wants;
	char *const *command;  /* NULL-terminated */
	const char *preload;   /* for LD_PRELOAD, or NULL */
	int report_fd;         /* SOCK_SEQPACKET: struct report to the launcher */
	int warn_fd, debug_fd; /* log.h; -1: none */
	pid_t launcher;
	sigset_t mask;                 /* the command's signal mask … */
	struct sigaction child_action; /* … and what it does on SIGCHLD */
	char *title;                   /* where the command line stands that ps shows … */
	size_t title_room;             /* … and its length in bytes */
};

/* Run the keeper in this process, a child of the launcher, with all signals blocked. */
_Noreturn void keeper_run(const struct launch *launch);

#endif
