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

#include "supervisor/base/state_calls.h"
#include "supervisor/base/state_keeper.h"
#include "supervisor/base/state_programs.h"

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
	bool numeric_names;             /* an address was mapped in place of a name */
	bool mapped_names;              /* and one that was not */
	uint64_t real_round;            /* when their real addresses were looked up; 0: never */
	uint32_t real_next;             /* the next name of that round */
	bool stopping;                  /* the daemon ends once no program is left */
	int clients[MAX_CLIENTS];       /* connections to the control socket; -1: none */
	struct reach told[MAX_CLIENTS]; /* the tunnels that were told on each */
	bool pidfd_thread;              /* the kernel opens pidfds of threads (6.9) */
	int ticks;                      /* a timer: for the keeper's watchdog … */
	_Atomic bool ticking;           /* … and whether it runs */
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
