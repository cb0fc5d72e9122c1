#ifndef GS_STATE_H
#define GS_STATE_H

/*
 * All state that matters: one shared mapping of keeper and supervisor. A supervisor that dies
 * leaves it whole, together with the descriptors it names, which lie in the one table that both
 * processes share (clone with CLONE_FILES); the next one goes on from there. So nothing in here is
 * a pointer, and whatever is about to happen outside is written here before it happens.
 *
 *     programs  launches whose filters are served
 *     tunnels   from the conf files: contact, secret, listening ports
 *     names     host names and their virtual addresses
 *     calls     notifications received and not answered; RECV writes straight into them
 *     conns     connections being made (the application's socket) or accepted (not the
 * application's yet)
 *     listeners listening sockets of the programs on a tunnel's port, by their cookies
 *     shares    what one user's programs of one launch have of all this
 *
 * Objects are named by index; NONE is no object. An object in use has slot.used set, and slot.gen
 * tells it from an earlier one at the same place.
 */

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/contact.h"
#include "protocol/control.h"
#include "protocol/lan_auth.h"
#include "supervisor/log.h"

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

/* --- calls --- */

enum call_state {
	CALL_RECEIVED, /* fresh from the kernel (or not even that: notif.id is 0) */
	CALL_HELD,     /* waits in the list of a conn, a listener or a copy */
};

enum call_kind {
	CALL_CONNECT,
	CALL_SO_ERROR,
	CALL_ACCEPT,
	CALL_QUESTION,
	CALL_OPEN,
	CALL_REFUSED, /* its error is told after a moment */
};

struct call {
	struct slot slot;
	uint8_t state, kind;
	uint8_t attempts; /* of supervisors that took over: one that kills each has to end */
	bool again;       /* a connect that joined one that was under way */
	bool promised;    /* an accept whose listener was readable: it must not wait for long */
	bool known;       /* whether it is promised one; not asked again when it is held again */
	uint32_t program;
	bool nonblocking;        /* answered EINPROGRESS or EAGAIN at its deadline */
	uint32_t owner;          /* the conn, listener or copy that it waits for */
	uint32_t share;          /* HELD: in which it counts; NONE: in none */
	uint32_t next, previous; /* in the owner's list */
	uint64_t deadline;       /* monotonic ns; 0: none */
	int error;               /* REFUSED: that it is told */
	uint64_t args[6];        /* as a 64-bit program would pass them */
	struct seccomp_notif notif;
};

/* --- conns --- */

enum conn_state {
	/* being made: the descriptor is a duplicate of the application's */
	CONN_LOOKUP, /* its contact is being fetched */
	CONN_TCP,    /* SYN sent */
	CONN_AUTH,   /* handshake */
	CONN_DONE, /* it is there; kept until a program that a signal interrupted has asked again */
	CONN_FAILED, /* over; kept until the program has asked */
	/* accepted: the descriptor is ours */
	CONN_INCOMING, /* handshake */
	CONN_READY,    /* authenticated, in the listener's queue */
	CONN_INJECTED, /* in a process's table as number (-1: perhaps), and it has not been told */
	CONN_TELLING,  /* it is being told */
	CONN_DEAD,     /* a stranger's, shut down, or a bell */
};

enum search { SEARCH_NONE, SEARCH_WANTED, SEARCH_RUNNING, SEARCH_FOUND, SEARCH_NOBODY };

/* In which of its lists a conn has neighbours. */
enum link { LINK_LISTENER, LINK_SOURCE, LINK_ALL, LINK_COUNT };

struct conn {
	struct slot slot;
	uint8_t state;
	bool whole;       /* being made: filled in */
	bool told;        /* connect() has returned EINPROGRESS: an event loop may be waiting */
	bool untold;      /* a signal took back the call that was to be told so */
	bool retried;     /* with a contact fetched anew */
	bool interrupted; /* signals have taken back a call that waits for it */
	bool plain;       /* no handshake */
	bool nonblocking; /* its program's loop waits: the handshake's time is short */
	bool met;         /* who calls is known: group and executable */
	bool intruded;    /* its program has written or read too early */
	bool late; /* held on past the first 20 ms: then connect() says EINPROGRESS, as it would */
	bool asked_for; /* its program has asked for the result */
	struct executable executable;
	uint64_t over_since; /* held though nothing is known of who calls; 0: it is not */
	bool cork;           /* the program's TCP_CORK, and … */
	int low_water;       /* … SO_RCVLOWAT, put back after the handshake; 0: not known */
	int hushed;      /* what that is meanwhile, where its program has been told; 0: it is not */
	uint32_t stamps; /* SO_TIMESTAMPING, likewise; 0: none */
	struct linger linger; /* accepted: the listening socket's, put back when handed over */
	int family;           /* of the socket */
	int fd;
	int pidfd;   /* INJECTED, and owed: of the process that has it; else -1 … */
	int owed_to; /* … and which that is; 0: not known */
	int error;   /* FAILED: the errno */
	int tid, group,
		number;    /* the application's thread, its process, and the descriptor there */
	uint32_t tunnel;   /* NONE: to a mapped name's own address */
	uint32_t name;     /* that name; else NONE */
	uint32_t listener; /* of an accepted one */
	uint32_t calls;    /* first of those that wait; INJECTED, TELLING: the one that gets it */
	uint32_t next;     /* in the bucket of its cookie, or in the listener's queue */
	uint32_t program, uid, share; /* being made: whose it is; NONE: nobody's share */
	uint32_t source;              /* INCOMING: by its peer's address */
	bool talks;                   /* INCOMING: it has sent something */
	bool awaited;                 /* INCOMING: a non-blocking accept() was held for it */
	bool own;                     /* INCOMING: it may be a program's of ours (wake.h) */
	struct {
		uint32_t next, previous;
	} links[LINK_COUNT];
	uint64_t cookie, began, deadline;
	uint64_t seen;                /* when a call that waits was known to stand */
	uint8_t search;               /* enum search: for a process that has the socket */
	bool waits_for_search;        /* it goes on then */
	uint64_t inode;               /* of the socket, while it is searched for */
	uint64_t looks_from, look_at; /* when its hushed socket is looked at, next; 0: never */
	uint64_t ready_at;            /* when it was authenticated: its place in the queue */
	uint32_t watched;    /* epoll's events that its socket is watched for; 0: it is not */
	uint8_t attempts;    /* of supervisors that died over it */
	union address asked; /* what the application asked for */
	union address here;  /* its own address before */
	union address peer;  /* where it is connected to, or who connected */
	struct lan_auth la;
};

/* --- listeners --- */

struct listener {
	struct slot slot;
	uint64_t cookie;
	uint32_t next;         /* in the bucket of its cookie */
	union address bound;   /* what getsockname() says */
	union address address; /* the same, or where a socket bound to a device can be called */
	int family;            /* of the socket: an IPv6 one may take IPv4 connections too */
	uint32_t program, uid, share; /* the launch, and the socket's owner */
	uint64_t netns;               /* SO_NETNS_COOKIE */
	int device;                   /* SO_BINDTOIFINDEX */
	bool reuses;                  /* SO_REUSEPORT */
	bool steered;                 /* SO_INCOMING_CPU */
	bool unrung;                  /* bells do not reach it, but others of its group */
	uint64_t noted;               /* when listen() or accept() was called on it last */
	uint64_t rests_until;         /* accept() on it has blocked: it is left alone for a while */
	bool defers;                  /* TCP_DEFER_ACCEPT: a connection without data wakes nobody */
	int fd;                       /* a duplicate, only while calls are held; else -1 */
	int bell;                     /* our own connection to it that wakes the program; else -1 */
	union address bell_address,
		bell_before;      /* its own address, and that of the one before it */
	uint32_t calls;           /* first accept that is held */
	struct list ready;        /* authenticated conns, oldest first … */
	uint32_t ready_count;     /* … and how many */
	uint32_t incoming;        /* conns in the handshake … */
	struct list strangers[2]; /* … silent ones and others, oldest first */
	int tid[HOLDERS],
		number[HOLDERS]; /* who called accept() or listen() lately, and its descriptor */
	uint32_t holder;         /* the latest of them */
	uint64_t lost;           /* since when none of them has it; 0: one has */
	bool odd;                /* options that connections inherit would hold up the handshake */
	bool learnt;             /* it was seen to listen, and its options are known */
	bool stalled;            /* a chore is needed to hand over, and there is no place for one */
	uint32_t took;          /* connections taken off its queue since an accept() returned … */
	uint64_t took_at;       /* … and when the last one was */
	uint64_t patient_until; /* what may be our bell is left to its program until then; 0 */
	bool waits;        /* accept() is called on it though nothing has come: its program is not
			      woken by select() before */
	bool watched;      /* it is told when something comes */
	bool missed;       /* something has come, and nobody known had it: it is visited by time */
	uint32_t dead;     /* a stranger's connection at its end, for who was promised one; NONE */
	uint32_t wakes;    /* connects of our programs to its port … */
	uint64_t wake_at;  /* … and when the last one began: wake.h */
	uint32_t owed;     /* conns that were added to a process's table and not told … */
	struct list owing; /* … and which */
};

/* --- strangers, by where they come from: stranger.h --- */

struct source {
	uint32_t count;
	struct list strangers[2]; /* where there are any: silent ones and others, oldest first */
};

/* --- shares: share.h --- */

enum part { PART_LISTENERS, PART_CALLS, PART_CONNECTS, PART_COUNT };

/* What one user's programs of one launch have. */
struct share {
	struct slot slot;
	uint32_t program, gen, uid; /* gen: the program's */
	uint32_t next;              /* in its bucket */
	uint32_t has[PART_COUNT];
	uint32_t contested;    /* how often accept() has blocked on a listener of theirs … */
	uint64_t contested_at; /* … the last time */
};

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
	HAND_PARENT
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

#define LAYOUT_TEXT 48

struct state {
	char layout[LAYOUT_TEXT]; /* state_layout() of who made it */
	int memory;               /* the memfd that this lies in; -1: nobody else can map it */
	int control_fd;           /* where launchers attach; -1: they do not */
	int channel_fd;       /* a supervisor that runs already serves this launch; -1: ours does */
	int supervisor_wakes; /* eventfd: for the supervisor */
	int supervisor_pidfd; /* the keeper's, of the supervisor */
	int directory;        /* the supervisor's, of its descriptors */
	int watch_info;       /* and the list of what it watches (watch.h) */
	int forbidden_call;   /* that the supervisor wanted to make, and died of (confine.h) */
	int keeper_wakes;     /* eventfd: for the keeper */
	bool initiates, listens;
	bool numeric_names;       /* an address was mapped in place of a name */
	bool mapped_names;        /* and one that was not */
	uint64_t real_round;      /* when their real addresses were looked up; 0: never */
	uint32_t real_next;       /* the next name of that round */
	bool stopping;            /* the daemon ends once no program is left */
	int clients[MAX_CLIENTS]; /* connections to the control socket; -1: none */
	bool pidfd_thread;        /* the kernel opens pidfds of threads (6.9) */
	int ticks;                /* a timer: for the keeper's watchdog … */
	_Atomic bool ticking;     /* … and whether it runs */
	struct work work;
	struct work_item blamed; /* what the supervisor before this one never came back from … */
	pid_t blamed_pid;        /* … which it was; 0: none */
	struct lost lost[MAX_LOST];
	_Atomic bool lost_ended; /* one of those has ended */
	struct mark marks[MAX_MARKS];
	uint32_t refused; /* first of the calls that are refused in a moment */
	struct chore chores[MAX_CHORES];
	uint64_t search_after; /* the next search is not to begin before */
	bool yama;             /* only the keeper may look into the programs */
	struct keeping keeping;
	struct log_shape log;
	_Atomic uint32_t beat_wanted; /* ticks of the keeper's watchdog … */
	_Atomic uint32_t beat;        /* … and what the supervisor has seen of them */
	struct upgrade upgrade;

	struct hand hand;
	struct counters counters;
	struct limits limits;
	uint32_t connecting;      /* conns that are being made or have failed */
	uint32_t held;            /* calls in lists */
	uint32_t listening;       /* listeners */
	uint32_t strangers_now;   /* conns in the handshake … */
	struct list strangers[2]; /* … silent ones and others, oldest first */
	uint64_t source_key;      /* random: nobody knows who shares a source with whom */
	uint32_t tunnel_count, name_count;
	uint64_t contact_keys[MAX_TUNNELS]; /* of each tunnel's contact; 0: none. See tunnel.c */
	uint16_t
		name_at[VIRTUAL_ADDRESSES]; /* by virtual address: 1 + index of the name, 0: none */
	uint64_t real_bits[REAL_BITS / 64]; /* real.c */
	struct pool program_pool, call_pool, conn_pool, listener_pool, share_pool;
	uint32_t receiving; /* the call into which RECV writes; NONE */
	uint32_t accepting; /* the listener whose queue is being taken in; NONE */
	uint32_t working;   /* the conn whose event is being handled; NONE */
	int kept[KEPT_MAX]; /* descriptors that are neither an object's nor left over */
	uint32_t buckets[COOKIE_BUCKETS];            /* connects, by cookie */
	uint32_t listener_buckets[LISTENER_BUCKETS]; /* by cookie */
	uint32_t share_buckets[MAX_SHARES];
	uint16_t bell_ports[MAX_LISTENERS][2];          /* of each one's last bells */
	struct lookup lookups[MAX_TUNNELS + MAX_NAMES]; /* of tunnels, then of names */
	uint32_t copy_top;   /* places below it have been used at some time */
	uint64_t copy_turns; /* that were given */
	struct copy copies[MAX_COPIES];
	struct tunnel tunnels[MAX_TUNNELS];
	struct name names[MAX_NAMES];
	struct program programs[MAX_PROGRAMS];
	struct evidence evidence[MAX_EVIDENCE];
	struct call calls[MAX_CALLS];
	struct conn conns[MAX_CONNS];
	struct listener listeners[MAX_LISTENERS];
	struct share shares[MAX_SHARES];
	struct source sources[SOURCES];
};

/* What a state of this program looks like: the same text, the same layout and meaning. */
const char *state_layout(void);

/* Map a fresh state (shared, zero but for NONEs and -1s). NULL: errno. */
struct state *state_create(void);

/* Map one that another program made in that memfd. NULL: it is none, or of another layout. */
struct state *state_adopt(int memory);

/* Unmap it from this process, and close its memfd here. */
void state_destroy(struct state *state);

/* Take a zeroed object (slot kept) out of a pool: its index, or NONE where all are taken. */
uint32_t program_take(struct state *state);
uint32_t call_take(struct state *state);
uint32_t conn_take(struct state *state);
uint32_t listener_take(struct state *state);
uint32_t share_take(struct state *state);
void program_give(struct state *state, uint32_t program);
void call_give(struct state *state, uint32_t call);
void conn_give(struct state *state, uint32_t conn);
void listener_give(struct state *state, uint32_t listener);
void share_give(struct state *state, uint32_t share);

/* For a supervisor that takes over: find out which places are free. */
void state_rebuild_pools(struct state *state);
void state_rebuild_shares(struct state *state);

/* The list of calls that starts at *first, oldest first. */
void calls_append(struct state *state, uint32_t *first, uint32_t call);
void calls_remove(struct state *state, uint32_t *first, uint32_t call);

/* A list of conns that are linked by that link, oldest first. */
void conns_clear(struct list *list);
void conns_append(struct state *state, struct list *list, enum link link, uint32_t conn);
void conns_remove(struct state *state, struct list *list, enum link link, uint32_t conn);

#endif
