#include "supervisor/connect/patience.h"

#include <sys/socket.h>

#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/calls/core.h"
#include "supervisor/connect/connect.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/lan.h"

#define HALVED        3            /* times at most is a hold, where those before were in vain */
#define LONG_MOST     (1 * SECOND) /* that a thread is held in HELD_SECONDS */
#define EVIDENCE_EACH (MAX_EVIDENCE / 8) /* of a user, where room has to be made */
#define GROUP_MOST    64                 /* threads of a process */
#define ASKED_AFTER   (1 * SECOND)       /* a socket that was held is remembered so long */

/* A thread whose non-blocking connects to a tunnel have been held for nothing, one after another.
 */
struct held_thread {
	int tid;
	uint32_t tunnel;
	unsigned times;
	uint64_t until; /* it is remembered */
};

/* A thread that was held though nothing was known of it: for how long, by the second. */
#define HELD_SECONDS 11
struct held_long {
	int tid;
	uint64_t second; /* the latest of them */
	uint64_t took[HELD_SECONDS];
};

/* A socket whose connect() was held until the connection was there: does its program ask? */
struct held_socket {
	uint64_t cookie; /* 0: a free place */
	uint64_t until;  /* it is remembered */
	uint32_t program;
	int tid, number;
	struct executable executable;
	uint32_t tunnel;
	uint16_t port;
};

/* What dies with the supervisor: another one learns it again. One forgets another. */
#define HELD_THREADS 64   /* by tid and tunnel */
#define HELD_LONG    1024 /* by tid */
#define HELD_SOCKETS 64   /* by cookie */
#define HELD_GROUPS  4096 /* by process */
static struct patience {
	struct held_thread threads[HELD_THREADS];
	struct held_long longs[HELD_LONG];
	struct held_socket sockets[HELD_SOCKETS];
	uint64_t sockets_until;     /* none of them is remembered longer */
	uint16_t over[HELD_GROUPS]; /* threads that are held though nothing is known of them */
} remembered;

/* --- what is known --- */

/* A guest's programs have evidence of their own: it could spoil that of others, whose files it may
 * have. */
static bool is_whose(const struct evidence *evidence, const struct executable *executable)
{
	return evidence->executable.uid == executable->uid &&
	       evidence->executable.guest == executable->guest;
}

static bool is_of(const struct evidence *evidence, const struct executable *executable,
		  uint32_t tunnel, uint16_t port)
{
	return evidence->used && evidence->tunnel == tunnel && evidence->port == port &&
	       is_whose(evidence, executable) && evidence->executable.inode == executable->inode &&
	       evidence->executable.device == executable->device;
}

/* The one that was not used for longest makes room: of the user's own, where these are many. */
static struct evidence *place_for(struct state *state, const struct executable *executable)
{
	struct evidence *oldest = &state->evidence[0], *own = NULL;
	uint32_t count = 0;
	for (uint32_t i = 0; i < MAX_EVIDENCE; i++) {
		struct evidence *evidence = &state->evidence[i];
		if (evidence->used < oldest->used)
			oldest = evidence;
		if (!evidence->used || !is_whose(evidence, executable))
			continue;
		count++;
		if (!own || evidence->used < own->used)
			own = evidence;
	}
	return count >= EVIDENCE_EACH ? own : oldest;
}

/* Its place, which may be new. */
static struct evidence *evidence_of(struct state *state, const struct executable *executable,
				    uint32_t tunnel, uint16_t port)
{
	for (uint32_t i = 0; i < MAX_EVIDENCE; i++) {
		struct evidence *evidence = &state->evidence[i];
		if (is_of(evidence, executable, tunnel, port)) {
			evidence->used = loop_now();
			return evidence;
		}
	}
	struct evidence *oldest = place_for(state, executable);
	oldest->used = 0; /* nobody's while it is filled in */
	atomic_signal_fence(memory_order_seq_cst);
	oldest->executable = *executable;
	oldest->tunnel = tunnel;
	oldest->port = port;
	oldest->asking = ASKING_UNKNOWN;
	oldest->trial_until = 0;
	atomic_signal_fence(memory_order_seq_cst);
	oldest->used = loop_now();
	return oldest;
}

static struct evidence *evidence_for(struct supervisor *s, const struct conn *conn)
{
	return evidence_of(s->state, &conn->executable, conn->tunnel, address_port(&conn->asked));
}

/* Who never asks on one socket may ask on another, as where an interpreter runs both kinds: to hold
 * it costs time, and not to hold it a connection. */
static void learn_asks(struct evidence *evidence)
{
	if (evidence->asking == ASKING_UNKNOWN)
		evidence->asking = ASKING_DOES;
}

/* Each guest another, also where it has the number of one that has ended. */
static uint64_t guest_of(const struct state *state, uint32_t index)
{
	const struct program *program = &state->programs[index];
	return program->guest ? (uint64_t)program->slot.gen << 32 | (index + 1) : 0;
}

void patience_meet(struct supervisor *s, struct conn *conn)
{
	if (!conn->met)
		conn->group = target_caller(s->state, conn->tid, &conn->executable);
	conn->executable.uid = conn->uid;
	conn->executable.guest = guest_of(s->state, conn->program);
	conn->met = true;
}

void patience_asked(struct supervisor *s, struct conn *conn)
{
	if (!conn->told || !conn->nonblocking || !conn->met || conn->asked_for)
		return;
	conn->asked_for = true;
	learn_asks(evidence_for(s, conn));
}

void patience_intruded(struct supervisor *s, const struct conn *conn)
{
	if (conn->told && conn->nonblocking && conn->met && !conn->asked_for)
		evidence_for(s, conn)->asking = ASKING_NEVER;
}

/* --- sockets that were held until they were connected --- */

static void remember(struct supervisor *s, const struct conn *conn)
{
	struct patience *patience = &remembered;
	struct held_socket *held = &patience->sockets[conn->cookie % HELD_SOCKETS];
	*held = (struct held_socket){.cookie = conn->cookie,
				     .until = loop_now() + ASKED_AFTER,
				     .program = conn->program,
				     .tid = conn->tid,
				     .number = conn->number,
				     .executable = conn->executable,
				     .tunnel = conn->tunnel,
				     .port = address_port(&conn->asked)};
	patience->sockets_until = held->until;
}

bool patience_listens(const struct supervisor *s)
{
	return remembered.sockets_until && remembered.sockets_until > loop_now();
}

void patience_asked_about(struct supervisor *s, uint64_t cookie)
{
	struct held_socket *held = &remembered.sockets[cookie % HELD_SOCKETS];
	if (!cookie || held->cookie != cookie)
		return;
	held->cookie = 0;
	if (held->until > loop_now())
		learn_asks(evidence_of(s->state, &held->executable, held->tunnel, held->port));
}

/* Has its program used it, and not asked? */
static bool was_used(struct supervisor *s, const struct held_socket *held)
{
	cleanup_socket int fd =
		target_descriptor_of(s->state, held->program, held->tid, held->number);
	return fd >= 0 && socket_cookie(fd) == held->cookie && lan_past(fd) == LAN_USED;
}

static void look_at_used(struct supervisor *s, struct evidence *evidence)
{
	uint64_t now = loop_now();
	for (uint32_t i = 0; i < HELD_SOCKETS && patience_listens(s); i++) {
		const struct held_socket *held = &remembered.sockets[i];
		if (held->cookie && held->until > now &&
		    is_of(evidence, &held->executable, held->tunnel, held->port) &&
		    was_used(s, held)) {
			evidence->asking = ASKING_NEVER;
			return;
		}
	}
}

/* --- how long threads of whom nothing is known were held --- */

static struct held_long *long_of(struct supervisor *s, int tid)
{
	struct held_long *held = &remembered.longs[(unsigned)tid % HELD_LONG];
	uint64_t second = loop_now() / SECOND;
	if (held->tid != tid)
		*held = (struct held_long){.tid = tid, .second = second};
	if (second - held->second >= HELD_SECONDS)
		*held = (struct held_long){.tid = tid, .second = second};
	while (held->second < second)
		held->took[++held->second % HELD_SECONDS] = 0;
	return held;
}

static uint64_t left_of(struct supervisor *s, int tid)
{
	const struct held_long *held = long_of(s, tid);
	uint64_t took = 0;
	for (int i = 0; i < HELD_SECONDS; i++)
		took += held->took[i];
	return took < LONG_MOST ? LONG_MOST - took : 0;
}

static uint16_t *over_of(struct supervisor *s, const struct conn *conn)
{
	return &remembered.over[(unsigned)conn->group % HELD_GROUPS];
}

void patience_over(struct supervisor *s, struct conn *conn, bool answered)
{
	if (!conn->over_since)
		return;
	struct held_long *held = long_of(s, conn->tid);
	held->took[held->second % HELD_SECONDS] += loop_now() - conn->over_since;
	if (*over_of(s, conn))
		--*over_of(s, conn);
	conn->over_since = 0;
	if (answered && evidence_for(s, conn)->asking == ASKING_UNKNOWN)
		remember(s, conn);
}

void patience_recover(struct supervisor *s, const struct conn *conn)
{
	if (conn->over_since)
		++*over_of(s, conn);
}

/* Nothing is known: until when; 0: it is the trial. One that many threads are waiting for is
 * enough, but a thread that has waited long enough is not kept. */
static uint64_t hold_unknown(struct supervisor *s, struct conn *conn, struct evidence *evidence)
{
	uint64_t now = loop_now(), left = conn->over_since ? 0 : left_of(s, conn->tid);
	bool crowd = *over_of(s, conn) >= GROUP_MOST;
	if (left < MILLISECOND || (crowd && evidence->trial_until < now)) {
		evidence->trial_until = now + HOLD_LOOP;
		return 0;
	}
	++*over_of(s, conn);
	conn->over_since = now;
	fault_point("connect.held-on");
	return now + left;
}

/* --- the whole --- */

static bool is_slow(const struct supervisor *s, const struct conn *conn)
{
	return conn->tunnel != NONE && s->state->tunnels[conn->tunnel].slow;
}

static struct held_thread *held_thread(struct supervisor *s, const struct conn *conn)
{
	return &remembered.threads[((unsigned)conn->tid + conn->tunnel) % HELD_THREADS];
}

static bool was_held(const struct held_thread *held, const struct conn *conn)
{
	return held->tid == conn->tid && held->tunnel == conn->tunnel && held->until > conn->began;
}

/* Shorter where that was in vain lately. */
static uint64_t hold_of(struct supervisor *s, const struct conn *conn)
{
	const struct held_thread *held = held_thread(s, conn);
	if (!was_held(held, conn))
		return HOLD_NONBLOCKING;
	return HOLD_NONBLOCKING >> (held->times < HALVED ? held->times : HALVED);
}

uint64_t patience_further(struct supervisor *s, struct conn *conn)
{
	uint64_t now = loop_now(), first = conn->began + hold_of(s, conn);
	uint64_t last = conn->began + HOLD_NONBLOCKING + HOLD_LOOP;
	enum connects connects = s->state->programs[conn->program].connects;
	if (conn->told || !conn->nonblocking || now >= last || connects == CONNECTS_ASYNC)
		return 0;
	conn->late = connects == CONNECTS_HOLD;
	if (conn->late)
		return last;
	patience_meet(s, conn);
	struct evidence *evidence = evidence_for(s, conn);
	if (evidence->asking == ASKING_DOES)
		return 0;
	if (now < first) /* nor would it ask if TCP came up meanwhile */
		return first;
	if (evidence->asking == ASKING_UNKNOWN)
		look_at_used(s, evidence);
	conn->late = evidence->asking == ASKING_NEVER;
	if (conn->late)
		return last;
	/* the kernel keeps the socket unwritable */
	if (conn->state == CONN_TCP)
		return 0;
	conn->late = true;
	uint64_t until = hold_unknown(s, conn, evidence);
	return until < last ? until : last;
}

bool patience_must_not_tell(struct supervisor *s, const struct conn *conn)
{
	enum connects connects = s->state->programs[conn->program].connects;
	if (conn->told || !conn->nonblocking || connects == CONNECTS_ASYNC)
		return false;
	return connects == CONNECTS_HOLD ||
	       (conn->met && evidence_for(s, conn)->asking == ASKING_NEVER);
}

/* A loop that makes one connection after another must not be held for each of them. */
void patience_well(struct supervisor *s, const struct conn *conn)
{
	held_thread(s, conn)->tid = 0;
}

void patience_in_vain(struct supervisor *s, const struct conn *conn)
{
	struct held_thread *held = held_thread(s, conn);
	if (!was_held(held, conn))
		*held = (struct held_thread){.tid = conn->tid, .tunnel = conn->tunnel};
	held->times++;
	held->until = loop_now() + SECOND;
}

uint64_t patience_first(struct supervisor *s, const struct conn *conn)
{
	if (!conn->nonblocking)
		return socket_timeout(conn->fd, SO_SNDTIMEO);
	if (is_slow(s, conn))
		return MILLISECOND / 10;
	return hold_of(s, conn);
}
