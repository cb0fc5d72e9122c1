#ifndef GS_UPGRADE_H
#define GS_UPGRADE_H

/*
 * A new binary is put in the place of a running keeper, by exec, with the mapping and all
 * descriptors; then it starts a supervisor, which goes on as after any other's end. Asked for by
 * CONTROL_UPGRADE or SIGUSR2. The binary that lies at the keeper's path is first asked for the
 * layout of its state: where that is another, or none, nothing happens.
 */

#include "supervisor/process/keeper.h"

/* The words of the binary that is asked, and of the one that takes over ("--take-over" MEMFD). */
#define UPGRADE_LAYOUT    "--layout"
#define UPGRADE_TAKE_OVER "--take-over"

/* First in main(). Where the words ask for the layout: print it and end. Where they say that a
 * keeper is taken over: true, and *keeper is as it was, with keeper_adopt() and log_init() done.
 * False: this is a start like any other. */
bool upgrade_main(int argc, char **argv, struct keeper *keeper);

/* A keeper was sent SIGUSR2: the new binary is wanted; where it cannot be, a line says so. */
void upgrade_by_signal(struct state *state);

/* For the keeper: ask the new binary, if one is wanted; it has answered: become it, if that may be.
 * What came of it stands in the state's upgrade.error, a positive errno: EXDEV: its layout is
 * another; ENOEXEC: it cannot be run or does not know what is asked. */
void upgrade_begin(struct keeper *keeper);
void upgrade_answered(struct keeper *keeper);

#endif
