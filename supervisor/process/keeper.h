#ifndef GS_KEEPER_H
#define GS_KEEPER_H

/*
 * The keeper: it starts the supervisor, which shares its descriptor table and its mapping, starts
 * another when one dies, lends it a hand, and runs lookups. It parses nothing that comes from
 * outside. There is one in each launch (launch.h), where it is child subreaper and ancestor of the
 * command too, and one in the daemon (daemon.h), which has no command.
 */

#include <stddef.h>
#include <sys/types.h>

#include "supervisor/base/state.h"

struct keeper {
	struct state *state;
	struct keeping keeping;         /* ours alone, once it was copied from the state */
	char *title;                    /* where the command line stands that ps shows … */
	size_t title_room;              /* … and its length in bytes */
	pid_t supervisor;               /* -1: none */
	pid_t hand;                     /* hand.h; 0, -1: none, or … */
	bool hand_is_thread;            /* … it is a thread of ours */
	pid_t chores[MAX_CHORES];       /* chore.h; 0: none */
	uint32_t watched, hand_watched; /* watchdog.h: what was seen … */
	int stands, hand_stands;        /* … and for how many ticks … */
	uint32_t seen_uid;              /* … and whose the thread was at the first */
	uint64_t started;               /* when that was tried last, monotonic ns */
	int failures;                   /* to start one that lives, in a row */
	int asked; /* upgrade.h: a pipe from the new binary; -1: nothing is asked … */
	char answer[LAYOUT_TEXT + 1]; /* … and what it has said */
	size_t answer_len;
	bool trying;  /* the command has not started yet: nobody is to be protected from it */
	bool hurried; /* the next turn ends soon, whatever has no event */
};

/* Write the log where keeper->keeping says and as the state does. */
void keeper_log(const struct keeper *keeper);

/* Make what keeper and supervisor wake each other with; signals (all of them blocked) come by the
 * keeping.signals. 0 or -errno. */
int keeper_init(struct keeper *keeper, const sigset_t *signals);

/* Leave the caller's descriptors, session, folder and limits: ours (KEPT_MAX of them, -1 for none)
 * stay open, beside what the state names. */
void keeper_detach(struct keeper *keeper, const int *ours, size_t count);

/* As many descriptors as this process may ever have. */
void keeper_raise_limit(void);

/* A new binary in the place of the one that was detached: what exec does not keep. */
void keeper_adopt(struct keeper *keeper);

/* Another process in its place, with its state and descriptors: what fork and exec do not keep. */
void keeper_replace(struct keeper *keeper);

/* One more of those: else a supervisor that takes over would close it, for its kind. */
void keeper_keep(struct keeper *keeper, int fd);

/* Close one of those: its number may be anything's from then on. */
void keeper_close(struct keeper *keeper, int *fd);

/* Start the supervisor, or another; where none can be started it is tried again later, and at last
 * the programs are let go: their calls fail with ENOSYS, none hangs. */
void keeper_start_supervisor(struct keeper *keeper);

/* Kill it, and the hand, and wait for them, but not for what no signal ends. */
void keeper_stop_supervisor(struct keeper *keeper);

/* Is there any other child? None: nothing that the command has left behind is alive, since it would
 * be ours by now. Lookups count as children. */
bool keeper_has_children(void);

/* One turn of the keeper's loop: wait until one of count descriptors in fds has an event, helping
 * the supervisor meanwhile. */
struct pollfd;
void keeper_turn(struct keeper *keeper, struct pollfd *fds, size_t count);

/* What ps shows for this process. The command line must not be the launcher's, or `pkill -f` meant
 * for the program would hit us. */
void keeper_set_name(const struct keeper *keeper, const char *name);

#endif
