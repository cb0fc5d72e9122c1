#ifndef GS_SUPERVISOR_H
#define GS_SUPERVISOR_H

/* The event loop, and what each intercepted call does: one file a call. */

#include <dirent.h>

#include "supervisor/loop.h"
#include "supervisor/patience.h"
#include "supervisor/state.h"
#include "supervisor/watch.h"

#define AUTOBOUND 16
#define LISTENS   (200 * MILLISECOND) /* from listen() until it is seen to: it has failed then */

/* A thread of a launch in which somebody is marked (mark.h): is it one of those? */
struct known_thread {
	int tid;
	uint32_t program;
	bool marked;
	uint64_t until; /* it is asked again then */
};
#define KNOWN_THREADS 256 /* by tid; one forgets another */

/* What dies with the process; all else is in the state. */
struct supervisor {
	struct state *state;
	struct loop loop;
	struct watch watch;
	DIR *descriptors;          /* /proc/self/fd, for what nobody owns */
	uint64_t netns;            /* SO_NETNS_COOKIE of our own network namespace; 0: not known */
	bool search_set;           /* a search is due */
	bool search_more;          /* and another, when what the last one found is done with … */
	uint32_t searched_at;      /* … and how far that is; NONE: it is */
	bool sweep_set;            /* a sweep is due */
	bool sweep_more;           /* the one that is under way has found what needs another */
	uint32_t sweep_at;         /* and how far it is */
	uint64_t sweep_pace;       /* ns until the next one */
	uint64_t full_sweep_after; /* when all may be swept at once again */
	bool warned_blind;         /* it was said that a program cannot be looked into */
	uint64_t autobound[AUTOBOUND]; /* cookies of sockets that were bound to any port */
	unsigned autobound_next;
	struct patience patience;
	struct known_thread known_threads[KNOWN_THREADS];
};

/* Take over the state and serve until there is nobody left to serve. Does not return an error: what
 * cannot go on ends the process. */
_Noreturn void supervisor_run(struct state *state);

/* A held call joins an owner's list; a dead one is found by the sweep. */
void supervisor_hold(struct supervisor *s, uint32_t call, enum call_kind kind, uint32_t *list,
		     uint32_t owner);
void supervisor_release(struct supervisor *s, uint32_t call, uint32_t *list);
/* Are there too many that wait, of all, or of this user's in its launch? Then it is counted. */
bool supervisor_holds_enough(struct supervisor *s, const struct call *call, uint32_t uid);
/* Was an earlier call of the same thread in that list taken back by a signal? It is forgotten then.
 */
bool supervisor_interrupted(struct supervisor *s, const struct call *call, uint32_t *list);

/* What programs have closed, or left with their end, is looked for from time to time, a part of it
 * each time; all of it at once by supervisor_sweep(), where that was
 * not done a moment ago. */
void supervisor_sweep_later(struct supervisor *s);
void supervisor_sweep(struct supervisor *s);

/* Have conns searched for whose search is SEARCH_WANTED. */
void supervisor_search(struct supervisor *s);

/* Refuse a call, after a moment: who is refused for what it did is not to have us do nothing else.
 */
void supervisor_refuse(struct supervisor *s, uint32_t call, int error);

/* Receive what a program's filter hands over from now on. */
void supervisor_watch_program(struct supervisor *s, uint32_t program);

/* There is no duplicate of the call's descriptor, with an error of target.h's: answer. A program
 * that cannot be looked into is left to the kernel, which is said once. */
void supervisor_no_descriptor(struct supervisor *s, uint32_t call, int error);

struct object_id supervisor_id(const struct supervisor *s, enum object kind, uint32_t index);

/* Does the object that an event or a deadline names still stand? */
bool supervisor_stands(const struct supervisor *s, struct object_id id);

/* The calls. Each of these answers the call, or holds it. */
void connect_call(struct supervisor *s, uint32_t call);
void so_error_call(struct supervisor *s, uint32_t call);
void accept_call(struct supervisor *s, uint32_t call);
void bind_call(struct supervisor *s, uint32_t call);
void listen_call(struct supervisor *s, uint32_t call);
void steer_call(struct supervisor *s, uint32_t call); /* setsockopt() */
void open_call(struct supervisor *s, uint32_t call);
void question_call(struct supervisor *s, uint32_t call);
void question_answer(struct supervisor *s, uint32_t call); /* the shim's; args[1] is where */
void trial_call(struct supervisor *s, uint32_t call);      /* needs.h */
void socketcall_call(struct supervisor *s, uint32_t call);
enum send_kind { SEND_TO, SEND_MESSAGE, SEND_MESSAGES };
void send_call(struct supervisor *s, uint32_t call, enum send_kind kind);

/* connect.c: its events. */
void connect_event(struct supervisor *s, uint32_t conn);
void connect_deadline(struct supervisor *s, uint32_t conn);
void connect_call_deadline(struct supervisor *s, uint32_t call);
void connect_lookup_over(struct supervisor *s, uint32_t lookup);
void connect_look(struct supervisor *s, uint32_t conn);
void connect_searched(struct supervisor *s, uint32_t conn);
bool connect_sweep(struct supervisor *s, uint32_t conn); /* true: to be looked after later */

/* open.c: copies are made; one was not made in time; whose calls are gone, are left. */
void open_wake(struct supervisor *s);
void open_deadline(struct supervisor *s, uint32_t call);
void open_sweep(struct supervisor *s);

/* give.c: bring what is ready at a listener and those who wait together; what is left over rings.
 */
void accept_offer(struct supervisor *s, uint32_t listener);

/* accept.c: its events. */
void accept_event(struct supervisor *s, uint32_t conn);
void accept_deadline(struct supervisor *s, uint32_t conn);
void accept_call_deadline(struct supervisor *s, uint32_t call);
void accept_listener_event(struct supervisor *s, uint32_t listener);

/* visit.c: between calls. Connections have come, or have to be looked for again, after so many ns;
 * its socket is gone. */
void accept_arrived(struct supervisor *s, uint32_t listener);
void accept_look_again(struct supervisor *s, uint32_t listener, uint64_t after);
void accept_gone(struct supervisor *s, uint32_t listener);
void accept_bell_event(struct supervisor *s, uint32_t listener);
bool accept_sweep(struct supervisor *s, uint32_t listener);

/* bind.c: programs that listen on no tunnel's port. */
bool bind_sweep(struct supervisor *s);

/* give.c: a chore has put the connection there, or has not. */
void accept_injected(struct supervisor *s, struct chore *chore);

/* recover.c: go on where the supervisor before this one stopped, at this call or NONE; close
 * descriptors that nobody owns, at a moment when no function holds one. */
void recover(struct supervisor *s, uint32_t last);
void recover_descriptors(struct supervisor *s);

/* open.c: a chore has put the copy there, or has not. */
void open_injected(struct supervisor *s, const struct chore *chore);

/* For recover.c. A conn that is known to be whole goes back to its place; then it goes on. */
void connect_recover_conn(struct supervisor *s, uint32_t conn);
void connect_resume(struct supervisor *s, uint32_t conn);
void accept_recover_conn(struct supervisor *s, uint32_t conn);
void accept_recover_listener(struct supervisor *s, uint32_t listener);
void open_recover(struct supervisor *s);
uint32_t *supervisor_list_of(struct supervisor *s, const struct call *call);
void supervisor_dispatch(struct supervisor *s, uint32_t call);

#endif
