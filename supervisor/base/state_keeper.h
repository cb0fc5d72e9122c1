#ifndef GS_STATE_KEEPER_H
#define GS_STATE_KEEPER_H

/* Parts of the state (state.h): what the keeper does for the supervisor, bounds, counters. */

#include "supervisor/base/state_programs.h"

/* --- chores: what may take for ever, each done by a process of its own (chore.h) --- */

enum chore_stage { CHORE_FREE, CHORE_GATHERING, CHORE_WANTED, CHORE_RUNNING, CHORE_DONE };

enum chore_op {
	CHORE_CLOSE,   /* fd, which is the chore's own */
	CHORE_DISCARD, /* the same of sockets, which are disconnected first */
	CHORE_INJECT,  /* a conn's socket into the table of a call's program */
	CHORE_SEARCH,  /* who has the sockets of the conns that are searched for? */
};

struct chore {
	_Atomic uint8_t stage; /* enum chore_stage */
	uint8_t op;            /* enum chore_op */
	bool cloexec;          /* INJECT */
	bool blamed;           /* CLOSE: who had us do it is marked if it takes long; and was */
	uint32_t program, uid; /* for whom; NONE, UNKNOWN_UID */
	int fd;
	uint32_t count;           /* DISCARD: so many in place of fd, or -1 where that is done */
	int fds[DISCARD_MOST];    /* … */
	uint32_t conn, gen, call; /* INJECT: for whom; conn NONE: for the call alone */
	int notify_fd;
	uint64_t id;
	int tid; /* CLOSE: who had us do it */
	int result;
	uint64_t began;
};

/* --- the keeper's hand: what needs an ancestor's rights (Yama), or files --- */

enum hand_op {
	HAND_READ,
	HAND_WRITE,
	HAND_GETFD,
	HAND_GROUP,
	HAND_CALLER,
	HAND_TABLE_GROUP,
	HAND_FIND_SOCKET,
	HAND_COMM,
	HAND_OWNER,
	HAND_UID,
	HAND_SCOPE,
	HAND_TOLD,
	HAND_PARENT,
	HAND_NETWORK
};
#define HAND_DATA 1024

struct hand {
	_Atomic uint32_t asked, done; /* counters; futexes */
	_Atomic uint32_t turn;        /* whose: even; odd while it tells */
	_Atomic bool there;           /* somebody serves */
	bool threaded;                /* a thread of the keeper, as Yama wants it … */
	pid_t thread;                 /* … this one … */
	_Atomic int lost_threads;     /* … and those that were given up and are still there */
	pid_t keeper;                 /* whose hand it is */
	uint8_t op;
	int tid, pidfd, number;
	int notify_fd; /* of the call of that thread for which it is written … */
	uint64_t id;   /* … and its id */
	uint64_t address, address2;
	uint32_t len, len2; /* of WRITE: two pieces of the data, one after the other */
	int result;
	uint8_t data[HAND_DATA];
};

/* --- the keeper's own --- */

/* What a launch's or the daemon's keeper knows. It works with a copy that the supervisor cannot
 * reach; what stands in the state is for a keeper that begins, or takes over from another. */
struct keeping {
	int memory;            /* the state's */
	int signals;           /* signalfd */
	int watchdog;          /* a timer, service.h; -1: none */
	int warn_fd, debug_fd; /* log.h; -1: none */
	int report_fd;         /* of a launch: to the launcher */
	int notify_fd;         /* of a launch: the listener descriptor of its command */
	pid_t launcher, command;
	uint64_t return_until; /* the supervisor that it was attached to may come back; 0: no */
	bool launcher_gone, command_gone, hung_up;
	bool only_listens;        /* of a launch, as the next */
	bool allow_direct;        /* of a launch: as of its program … */
	uint8_t connects;         /* … likewise */
	char cli[BASE_PATH_MAX];  /* path of globus-streams */
	char shim[BASE_PATH_MAX]; /* of the shim, as LD_PRELOAD has it; "": there is none */
	char self[BASE_PATH_MAX]; /* path of the running program; "": not known */
	/* where the control socket lies, ours or the one that we are attached to; "": systemd's */
	char socket_path[BASE_PATH_MAX];
};

/* A new binary is put in the keeper's place: upgrade.h. */
enum upgrade_stage { UPGRADE_IDLE, UPGRADE_WANTED, UPGRADE_ASKING, UPGRADE_OVER };

struct upgrade {
	_Atomic uint8_t stage; /* enum upgrade_stage */
	int error;             /* OVER: 0 or a positive errno */
	uint32_t client;       /* who asked; NONE: a signal */
	uint16_t serial;       /* of its question */
};

/* --- limits: limit.h --- */

enum limit {
	LIMIT_STRANGERS,
	LIMIT_STRANGERS_EACH,
	LIMIT_STRANGERS_ADDRESS,
	LIMIT_READY,
	LIMIT_CONNECTS,
	LIMIT_CONNECTS_EACH,
	LIMIT_CALLS,
	LIMIT_CALLS_EACH,
	LIMIT_LISTENERS,
	LIMIT_LISTENERS_EACH,
	LIMIT_TUNNELS,
	LIMIT_NAMES,
	LIMIT_PROGRAMS,
	LIMIT_CLIENTS,
	LIMIT_LOG_LINES,
	LIMIT_COUNT
};

struct limits {
	uint32_t most[LIMIT_COUNT];
	uint64_t met[LIMIT_COUNT]; /* how often something was turned away */
};

/* --- counters --- */

struct counters {
	uint64_t notifications, connects, accepts, restarts, upgrades, marks;
	uint64_t refused[REFUSAL_COUNT];
};

#endif
