#ifndef GS_PRIVILEGES_H
#define GS_PRIVILEGES_H

/* What a process of ours may do. Nobody may look into it (PR_SET_DUMPABLE), it dumps no core, and
 * of root's capabilities (capabilities(7)) it keeps what it needs: CAP_SYS_PTRACE to look into
 * programs of root's and into those that change their user, and the keeper CAP_KILL to end them.
 * Where CAP_SYS_PTRACE is not to be had, as in containers, all others stay permitted and none is in
 * effect: then programs of the same user can be inspected that have no more. An ordinary user's
 * processes have none to begin with. */

#include <stdbool.h>

/* For good. 0 or -errno. */
int privileges_drop(bool keeper);

/* In a child of the keeper's, or its hand: all that is permitted is in effect; and nothing any
 * more, whatever it runs. System calls alone. 0 or -errno. */
int privileges_raise(void);
int privileges_none(void);

#endif
