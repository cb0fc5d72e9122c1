#ifndef GS_STATE_CALLS_H
#define GS_STATE_CALLS_H

/* Parts of the state (state.h): calls, and the sockets that they are about. */

#include "supervisor/base/state_programs.h"

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
	bool retried;     /* with a contact fetched again */
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
	struct reach reach;           /* the launch's, whoever has its number later */
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

#endif
