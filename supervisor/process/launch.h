#ifndef GS_LAUNCH_H
#define GS_LAUNCH_H

/* A launch: the command, which carries the filter, and the keeper that stays until the last process
 * with the filter is gone. */

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "protocol/control.h"
#include "supervisor/base/state.h"
#include "supervisor/kernel/filter.h"

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
	_Atomic uint8_t *trying;       /* shared with the launcher: needs.h */
	char *title;                   /* see keeper.h */
	size_t title_room;
};

/* Run the keeper in this process, a child of the launcher, with all signals blocked.
 * state->channel_fd may be a supervisor that runs already, which knows the tunnels (attach.h): then
 * it serves. */
_Noreturn void launch_run(const struct launch *launch);

/* Go on where another binary of the keeper stopped (upgrade.h). */
struct keeper;
_Noreturn void launch_go_on(struct keeper *keeper);

#endif
