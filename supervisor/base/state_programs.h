#ifndef GS_STATE_PROGRAMS_H
#define GS_STATE_PROGRAMS_H

/* Parts of the state (state.h): sizes, and what is known of tunnels, names and programs. */

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/contact.h"
#include "protocol/control.h"
#include "protocol/lan_auth.h"
#include "supervisor/base/log.h"

#define NONE              UINT32_MAX
#define MAX_TUNNELS       1024
#define MAX_PROGRAMS      1024
#define MAX_CLIENTS       1100 /* connections to the control socket */
#define MAX_NAMES         2048
#define MAX_CALLS         32768
#define MAX_CONNS         32768
#define MAX_LISTENERS     1024
#define MAX_SHARES        4096
#define HOLDERS           4
#define LISTENER_BUCKETS  1024
#define SOURCES           8192              /* of strangers, by a hash of their addresses */
#define MAX_PORTS         CONTROL_PORTS_MAX /* listening ports of one tunnel */
#define MAX_ROUTES        16                /* ports of one name that lead to tunnels */
#define COOKIE_BUCKETS    4096
#define VIRTUAL_ADDRESSES (1 << 17) /* 198.18.0.0/15 */
#define BASE_PATH_MAX     CONTROL_PATH_MAX
#define LOOKUP_TEXT_MAX   3072 /* of getent: 16 addresses, three times each */
#define MAX_REAL          16   /* real addresses of a name that are kept */
#define REAL_BITS         (1 << 16)
#define KEPT_MAX          16
#define TOLD_MAX          128 /* processes of a launch that were told an address of ours */
#define MAX_MARKS         64
#define MAX_LOST          16 /* supervisors that do not end */
#define MAX_CHORES        64
#define DISCARD_MOST      64 /* sockets that one of them discards */
#define UNKNOWN_UID       UINT32_MAX

#define NANOSECOND  1ull
#define MILLISECOND (1000000 * NANOSECOND)
#define SECOND      (1000 * MILLISECOND)

/* An address of either family. */
union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct slot {
	uint32_t next_free;
	uint32_t gen;
	bool used;
};

struct pool {
	uint32_t free; /* first of the free list */
	uint32_t top;  /* places below it have been used at some time */
};

struct list {
	uint32_t first, last;
};

/* --- tunnels --- */

struct tunnel {
	char id[UUID_TEXT + 1];
	bool initiates, secured;
	bool slow; /* its last contact took longer than the time a non-blocking call is held */
	uint16_t ports[MAX_PORTS];                /* where its listener listens; 0: none further */
	char listener_host[CONTACT_HOST_MAX + 1]; /* from the listener contact; may be empty */
	union address contact;                    /* family 0: not known */
	uint8_t key[LAN_AUTH_KEY_MAX];
	size_t key_len;
	uint8_t key_id[UUID_BYTES];
};

/* Tunnels by their index: reach.h. */
struct reach {
	uint64_t bits[MAX_TUNNELS / 64];
};

/* --- names --- */

struct name {
	char host[CONTACT_HOST_MAX + 1];
	bool is_globus;            /* globus.<id>: no other port leads anywhere */
	union address real, real6; /* where it really leads; family 0: not that we know */
	uint64_t resolved;         /* when that was learnt; 0: never */
	uint32_t real_count;       /* of all its real addresses, as IPv6 ones: real.h */
	uint8_t all_real[MAX_REAL][16];
	uint32_t number;             /* its virtual addresses are number in both ranges */
	uint16_t port[MAX_ROUTES];   /* each port of it that leads to a tunnel … */
	uint32_t tunnel[MAX_ROUTES]; /* … and to which */
	uint32_t routes;
};

/* --- lookups: the keeper runs a program, the supervisor reads what it says --- */

enum lookup_stage { LOOKUP_IDLE, LOOKUP_WANTED, LOOKUP_RUNNING };

struct lookup {
	pid_t pid;                /* the keeper's child, until it is reaped; 0 */
	_Atomic uint8_t stage;    /* enum lookup_stage */
	_Atomic int fd;           /* what it says, while RUNNING */
	char base[BASE_PATH_MAX]; /* of a tunnel: the folder of its conf file */
	uint32_t len;
	char text[LOOKUP_TEXT_MAX];
};

/* --- files that are given in place of others: copy.h --- */

#define MAX_COPIES           1024 /* that are wanted at a time … */
#define MAX_COPIES_OF_LAUNCH 512  /* … by one launch, and … */
#define MAX_COPIES_OF_USER   256  /* … by one user in it */

enum copy_what {
	COPY_HOSTS, /* a program's /etc/hosts with our names in it */
	COPY_SHIM,  /* the shim as it is, where LD_PRELOAD cannot name it: in another root */
	COPY_SHIM32 /* the same, for 32-bit programs */
};
enum copy_stage { COPY_IDLE, COPY_WAITING, COPY_RUNNING, COPY_DONE };

struct copy {
	_Atomic bool wanted;   /* by the supervisor */
	_Atomic uint8_t stage; /* enum copy_stage; the keeper's */
	uint32_t calls;        /* the one that waits for it; NONE */
	uint32_t program;      /* whose thread … */
	int tid;               /* … asks for it … */
	int flags;             /* … and how: open(2)'s */
	uint8_t what;          /* enum copy_what */
	int number;            /* where the thread has it already; -1 */
	uint64_t turn;         /* a lower one is earlier */
	/* the keeper's */
	int uid;    /* of the thread; negative: it is gone */
	pid_t pid;  /* RUNNING: the child */
	int fd;     /* RUNNING: what it writes into; DONE: for the program, or -1 */
	int result; /* DONE: 0, COPY_PASS or -errno */
};

/* --- what is known of who connects without blocking: patience.h --- */

#define MAX_EVIDENCE 512

enum asking {
	ASKING_UNKNOWN,
	ASKING_DOES,  /* it has asked for the result of a connect() */
	ASKING_NEVER, /* it has written or read before it asked */
};

/* A program's file, zeros: not known; and whose the program is. */
struct executable {
	uint64_t device, inode;
	uint32_t uid;
	uint64_t guest; /* which one's it is, if it is a guest's: else 0 */
};

struct evidence {
	struct executable executable;
	uint32_t tunnel; /* or NONE */
	uint16_t port;
	uint8_t asking;       /* enum asking */
	uint64_t used;        /* the last time; 0: a free place */
	uint64_t trial_until; /* one of its connections shows what it does, perhaps until then */
};

/* What a launch's user has said of its programs' non-blocking connects. */
enum connects {
	CONNECTS_BY_EVIDENCE,
	CONNECTS_ASYNC, /* they ask */
	CONNECTS_HOLD,  /* they never do */
};

/* --- programs --- */

#define MARKED 32

struct program {
	struct slot slot;
	uint32_t marked_count; /* processes; those past MARKED are not known … */
	int marked[MARKED];    /* … that listen, or may, on a tunnel's port: unseen.h */
	bool steers;           /* it decides which of a REUSEPORT group gets a connection */
	bool listened;         /* something of it has called listen() on a tunnel's port, … */
	uint16_t other_port;   /* … and before that on this one; 0: on none */
	uint64_t other_at;
	uint32_t shares; /* how many of its users have one */
	int notify_fd;   /* its filter's listener descriptor */
	uint32_t client; /* whose connection attached it; NONE: a launch's own, or that has ended */
	uint64_t inherited; /* when it came from a supervisor that is gone with what it knew, ns */
	uint64_t marked_until; /* somebody of it is marked (mark.h) */
	uint64_t slow_until;   /* threads of it did not run for a while when given something … */
	uint64_t slow_at;      /* … the last time … */
	uint32_t slow_times;   /* … and how often lately */
	pid_t command;         /* its first process; 0: not known */
	struct reach reach;    /* the tunnels that it may use */
	bool guest;            /* a container, say: it adds no tunnels */
	bool allow_direct;     /* to the real addresses of mapped names */
	bool only_listens;     /* its connects are seen for that alone */
	uint8_t connects;      /* enum connects */
	bool confined;         /* by Landlock, or a part of it */
	bool all_told;       /* too many processes to tell those that know an address of ours … */
	uint32_t told_count; /* … from others: else these */
	int told[TOLD_MAX];
};

/* One user's programs within one launch that have held the supervisor up: mark.h. */
struct mark {
	uint32_t program, gen; /* gen: of the program's slot */
	uint32_t uid;          /* UNKNOWN_UID: anybody's */
	uint32_t times;        /* 0: a free place */
	uint64_t until;
};

/* --- what the supervisor is at: work.h --- */

struct work_item {
	uint32_t program;              /* whose, or NONE */
	int tid;                       /* the thread, 0: not known … */
	uint32_t uid;                  /* … and its user, or UNKNOWN_UID */
	uint32_t call, conn, listener; /* or NONE */
};

struct work {
	_Atomic uint32_t number; /* odd: something is worked on; each has another */
	bool asks;               /* and waits for the hand */
	struct work_item item;
};

/* A supervisor that was ended and is still in a call that nothing ends: its pid, and what it is at,
 * which is left alone until it has ended. */
struct lost {
	pid_t pid; /* 0: none */
	int fd;    /* -1: none */
};

#endif
