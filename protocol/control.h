#ifndef GS_CONTROL_H
#define GS_CONTROL_H

/*
 * What separate processes say to each other.
 *
 * 1. The shim's question. The shim asks by a call that the filter hands to the supervisor:
 *    openat(QUESTION_FD, &question, O_RDONLY). It is a call that every look-up makes, since libc
 *    opens files for it: a sandbox that lets a program look names up lets it pass. The kernel
 * itself would say EBADF, since the question does not begin like an absolute path: so an
 * unsupervised program learns that nobody is there. The answer is written over the question, and
 * openat() returns 0. No socket and no path is used, so it works after chroot(), with every
 * descriptor closed, and in other namespaces.
 *
 *    openat(QUESTION_FD, "/etc/hosts", flags) is the hosts file with the tunnels' names in it, as
 *    programs without the shim get it; the kernel would open the file itself.
 *
 *    A launcher inside a supervised program puts two questions the same way, by connect() and by
 *    bind(), as far as the filter hands these over: a struct control_reply with the op
 *    CONTROL_STATUS (is anybody there?), and a struct control_tunnel, further down: take this
 *    tunnel. Both are answered by a struct control_reply, written over the start. The child of a
 * launcher that is to become the command asks with a struct control_trial whether it can be served.
 *
 * 2. The keeper's reports to the launcher, one a SOCK_SEQPACKET message.
 *
 * 3. A supervisor's control socket, further down.
 */

#include <assert.h>
#include <stdint.h>

#include "protocol/conf.h"
#include "protocol/contact.h"

#define CONTROL_VERSION 1

#define CONTROL_PATH_MAX  4096
#define CONTROL_PORTS_MAX 8

#define QUESTION_FD    (-0x47534c) /* "GSL"; no descriptor is negative */
#define QUESTION_MAGIC 0x51534c47u /* "GLSQ", read as bytes, on a little-endian machine */

enum question_op {
	QUESTION_RESOLVE = 1, /* name, port -> addresses */
	QUESTION_REVERSE = 2, /* address -> name */
};

enum question_answer {
	QUESTION_UNANSWERED = 0,
	QUESTION_OURS = 1,      /* the answer is here */
	QUESTION_NOT_OURS = 2,  /* ask libc */
	QUESTION_NO_FAMILY = 3, /* ours, but not in the family asked for */
};

struct question {
	uint32_t magic;
	uint8_t version, op;
	uint8_t answer; /* enum question_answer */
	uint8_t family; /* asked: 4, 6 or 0 for either; answered: 4 or 6 */
	uint16_t port;  /* asked: host order, 0 where not known yet */
	uint16_t size;  /* sizeof(struct question) */
	uint32_t reserved;
	uint8_t address[16]; /* 4 or 16 bytes of it, network order */
	char name[256];      /* NUL-terminated */
};
static_assert(sizeof(struct question) == 288, "the same in 32-bit and 64-bit programs");

enum report_op {
	REPORT_STARTED = 1,   /* the command runs; a pidfd of it comes along (SCM_RIGHTS) */
	REPORT_FAILED = 2,    /* it could not be started: value is an errno, stage says where */
	REPORT_STOPPED = 3,   /* the command stopped: value is the signal */
	REPORT_CONTINUED = 4, /* the command goes on */
	REPORT_EXITED = 5,    /* the command ended: value is a wait status */
};

enum report_stage {
	STAGE_NONE,
	STAGE_KEEPER, /* making the processes */
	STAGE_FILTER, /* installing the filter */
	STAGE_EXEC,   /* execvp() of the command */
	STAGE_PTRACE, /* looking into the command */
	STAGE_NEED,   /* a call that redirecting needs: enum need says which */
	STAGE_SERVED, /* the same, but by the supervisor that the launch is attached to */
};

/* What keeper and supervisor do to the programs, and a filter or a container may forbid. */
enum need {
	NEED_NONE,
	NEED_PIDFD_OPEN,
	NEED_PIDFD_GETFD,
	NEED_READ,    /* process_vm_readv */
	NEED_KCMP,    /* only where pidfds of threads cannot be opened */
	NEED_STATUS,  /* reading /proc/PID/status */
	NEED_MEM,     /* opening /proc/PID/mem for writing */
	NEED_RECEIVE, /* ioctl()s on the filter's listener descriptor … */
	NEED_VALID,
	NEED_ADDFD,
	NEED_SEND,
	NEED_ANSWER, /* the supervisor has not answered in time */
	NEED_COUNT
};

struct report {
	uint8_t version, op, stage;
	union {
		uint8_t last; /* EXITED: no process of the command is left, and the keeper ends too
			       */
		uint8_t need; /* FAILED at NEED or SERVED: enum need */
	};
	int32_t value;
};
static_assert(sizeof(struct report) == 8, "wire size");

/*
 * 3. What launchers and `globus-streams supervisor` say to a supervisor that runs already:
 * SOCK_SEQPACKET, one message a packet, each answered before the next is sent. The answer has the
 * question's serial; one with an earlier serial is to be passed over, since a supervisor that takes
 * over from another may answer again. Only processes of the owner are listened to (SO_PEERCRED).
 * A launch: first the tunnels, then the program; then the connection stays open as long as the
 * program's keeper lives.
 */

#define CONTROL_MAX 16384 /* bytes of a message */

enum control_op {
	CONTROL_REPLY = 1,
	CONTROL_TUNNEL = 2,  /* struct control_tunnel: here it is, or: its conf was read again */
	CONTROL_ATTACH = 3,  /* struct control_attach, with the listener descriptor (SCM_RIGHTS) */
	CONTROL_STATUS = 4,  /* the header alone; answered by struct control_status */
	CONTROL_STOP = 5,    /* the header alone: end, once no program is attached */
	CONTROL_LISTED = 6,  /* struct control_listed: the tunnel of that index; answered by the
				same, or by ENOENT in a reply */
	CONTROL_UPGRADE = 7, /* the header alone: become the binary that lies at your path. EXDEV:
				its state differs; ENOEXEC: it cannot be run; EOPNOTSUPP: this one
				cannot be replaced; EALREADY: another asks for it */
	CONTROL_LIMIT = 8,   /* struct control_limit: the limit of that index; answered by the same,
				or by ENOENT in a reply */
	CONTROL_TRIAL = 9,   /* struct control_trial, not over the control socket but as in 1 */
	CONTROL_GUEST = 10,  /* as CONTROL_ATTACH, for a program that is not trusted like the
				owner's launches, a container: of the tunnels it has those alone
				that were told on this connection, and adds none itself */
};

struct control_header {
	uint8_t version, op;
	uint16_t serial; /* of the question; its answer has the same */
	uint32_t size;   /* of the whole message */
};

struct control_reply {
	struct control_header header;
	int32_t error; /* 0 or a positive errno */
	uint32_t reserved;
};

/* A tunnel: what its conf file says, checked by who read it. */
struct control_tunnel {
	struct control_header header;
	char id[UUID_TEXT + 1];
	char base[CONTROL_PATH_MAX];       /* the folder of its conf file */
	uint16_t ports[CONTROL_PORTS_MAX]; /* beside the listener contact's */
	struct conf_view view;
};

#define ATTACH_AGAIN   1  /* another supervisor served it, which is gone with what it knew */
#define ATTACH_DIRECT  2  /* its programs may connect to where mapped names really lead */
#define ATTACH_ASYNC   4  /* its programs ask for the results of their connects … */
#define ATTACH_HOLD    8  /* … or never do */
#define ATTACH_LISTENS 16 /* it has no tunnel to connect to */

struct control_attach {
	struct control_header header;
	int32_t pid;    /* of the command */
	uint32_t flags; /* ATTACH_… */
};

/* Can the asker be served? All that is done to programs was done to it by the time of the answer,
 * which is written over the question, with op CONTROL_REPLY. */
struct control_trial {
	struct control_header header;
	int32_t fd; /* asked: a descriptor of the asker's. Answered: one that it was given, or -1 */
	int32_t error;  /* 0, or a positive errno and … */
	uint32_t need;  /* … what failed with it: enum need */
	uint32_t again; /* 1: something is being looked up that it had better wait for: ask again */
};

/* Why connections through tunnels were refused, there or here. */
enum refusal {
	REFUSED_SECRET,      /* the peer does not hold the secret, or we do not hold its */
	REFUSED_FORMAT,      /* its bytes are not the handshake's */
	REFUSED_TIME,        /* it took too long */
	REFUSED_CLOSED,      /* it went away */
	REFUSED_UNREACHABLE, /* no access point, or no listener behind it */
	REFUSED_FULL,        /* too many at once */
	REFUSED_OTHER,
	REFUSAL_COUNT
};

struct control_status {
	struct control_header header;
	int32_t pid; /* of gs-supervisor */
	uint32_t programs, tunnels, names;
	uint32_t calls;      /* that are held */
	uint32_t connecting; /* connects under way, or failed and not asked for yet */
	uint32_t listeners;
	uint32_t incoming; /* connections that have not authenticated yet */
	uint32_t stopping; /* 1: it ends once no program is left */
	uint32_t reserved;
	uint64_t notifications, connects, accepts, restarts, upgrades;
	uint64_t refused[8]; /* by enum refusal */
	char version[32];    /* of the program, NUL-terminated */
};

struct control_listed {
	struct control_header header;
	uint32_t index;
	uint8_t initiates, secured;
	uint16_t ports[CONTROL_PORTS_MAX]; /* where its programs listen; 0: none further */
	char id[UUID_TEXT + 1];
	char base[CONTROL_PATH_MAX];
};

struct control_limit {
	struct control_header header;
	uint32_t index;
	uint32_t most, now;
	uint32_t reserved;
	uint64_t met; /* how often something was turned away */
	char name[32];
};

static_assert(sizeof(struct control_limit) == 64 && sizeof(struct control_trial) == 24,
	      "wire sizes");
static_assert(sizeof(struct control_header) == 8 && sizeof(struct control_reply) == 16 &&
		      sizeof(struct control_attach) == 16 && sizeof(struct control_status) == 184,
	      "wire sizes");
static_assert(sizeof(struct control_tunnel) <= CONTROL_MAX, "fits into a message");
static_assert((int)REFUSAL_COUNT <= 8, "fit into the status");

#endif
