#ifndef GS_RUN_WAIT_H
#define GS_RUN_WAIT_H

/* The launcher while the command runs: it acts for the command towards the shell. */

#include <sys/types.h>

#include "supervisor/process/launch.h"

struct run_wait {
	pid_t keeper;
	int report_fd; /* the keeper's reports */
	int warn_fd;   /* lines for stderr */
	const char *command;
	const _Atomic uint8_t *trying; /* needs.h; NULL: not known */
};

/* Block all signals before the keeper is forked; the launch remembers how they were. */
void run_block_signals(struct launch *launch);

/* Pass on signals, stop and continue with the command, print warnings; the exit status. Does not
 * return if a signal ended the command: the same signal then ends this process. */
int run_wait(struct run_wait *wait);

/* Report why the command cannot be run, by the errno of execve(2): the exit status. */
int run_explain_exec(const char *command, int error);

#endif
