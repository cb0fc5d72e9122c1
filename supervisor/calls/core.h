#ifndef GS_CORE_H
#define GS_CORE_H

/* What every intercepted call needs: who serves, calls that are held, connections that are watched.
 */

#include <dirent.h>

#include "supervisor/base/loop.h"
#include "supervisor/base/state.h"

#define SWEEP_PACE (125 * MILLISECOND)

/* What dies with the process; all else is in the state, and in single modules what they remember.
 */
struct supervisor {
	struct state *state;
	struct loop loop;
	DIR *descriptors; /* /proc/self/fd, for what nobody owns */
	uint64_t netns;   /* SO_NETNS_COOKIE of our own network namespace; 0: the kernel has none */
	bool search_set;  /* a search is due */
	bool search_more; /* and another, when what the last one found is done with … */
	uint32_t searched_at;      /* … and how far that is; NONE: it is */
	bool sweep_set;            /* a sweep is due */
	bool sweep_more;           /* the one that is under way has found what needs another */
	uint32_t sweep_at;         /* and how far it is */
	uint64_t sweep_pace;       /* ns until the next one */
	uint64_t full_sweep_after; /* when all may be swept at once again */
};

/* What an event or a deadline names; does it still stand? */
struct object_id supervisor_id(const struct supervisor *s, enum object kind, uint32_t index);
bool supervisor_stands(const struct supervisor *s, struct object_id id);

/* A held call joins an owner's list; a dead one is found by the sweep. */
void supervisor_hold(struct supervisor *s, uint32_t call, enum call_kind kind, uint32_t *list,
		     uint32_t owner);
void supervisor_release(struct supervisor *s, uint32_t call, uint32_t *list);
uint32_t *supervisor_list_of(struct supervisor *s, const struct call *call);
/* Are there too many that wait, of all, or of this user's in its launch? Then it is counted. */
bool supervisor_holds_enough(struct supervisor *s, const struct call *call, uint32_t uid);
/* Was an earlier call of the same thread in that list taken back by a signal? It is forgotten then.
 */
bool supervisor_interrupted(struct supervisor *s, const struct call *call, uint32_t *list);

/* Watch a conn's socket for these events (epoll's), or no more. */
void conn_watch(struct supervisor *s, uint32_t conn, uint32_t events);
void conn_unwatch(struct supervisor *s, struct conn *conn);

/* What programs have closed, or left with their end, is to be looked for soon (sweep.c). */
void supervisor_sweep_later(struct supervisor *s);

/* Have conns searched for whose search is SEARCH_WANTED. */
void supervisor_search(struct supervisor *s);

/* Refuse a call, after a moment: a program that is refused for what it did must not keep us busy.
 * The second function: that moment is over. */
void supervisor_refuse(struct supervisor *s, uint32_t call, int error);
void supervisor_refuse_now(struct supervisor *s, uint32_t call);

/* Is the call's socket, duplicated as fd, in another network namespace than ours? Before Linux 5.14
 * a socket does not tell, and that of the thread counts: in another one, or where that cannot be
 * known, nothing of it is taken for ours. */
bool supervisor_is_elsewhere(struct supervisor *s, const struct call *call, int fd);

/* The call's descriptor could not be duplicated, with an error of target.h's: answer the call. A
 * program that cannot be inspected is left to the kernel, with one warning. */
void supervisor_no_descriptor(struct supervisor *s, uint32_t call, int error);

#endif
