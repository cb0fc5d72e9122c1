#ifndef GS_COMMAND_H
#define GS_COMMAND_H

/* The command's own process, between fork and exec. */

#include "supervisor/process/launch.h"

/* What it tells the keeper over their SOCK_SEQPACKET pair: stage STAGE_NONE and the listener
 * descriptor (SCM_RIGHTS) once the filter is in place, then, when a supervisor has served a call of
 * it, STAGE_NONE again; or where and why it failed (a positive errno, and an enum need). It goes on
 * to exec when it is sent a byte, and the socket closes with exec. */
struct command_word {
	int stage, error, need;
};

/* Have the programs of this environment load the shim first. 0, or -1: errno. */
int command_preload(const char *shim);

/* In the fresh child: become the command. */
_Noreturn void command_run(const struct launch *launch, int socket);

/* For the keeper: wait for the word. The listener descriptor; -1 with *word telling the failure. */
int command_listener(int socket, struct command_word *word);

#endif
