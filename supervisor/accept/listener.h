#ifndef GS_LISTENER_H
#define GS_LISTENER_H

/* Listening sockets of the programs on tunnels' ports: who has them, and their queues of
 * authenticated connections. Objects live in the state; NONE is none. */

#include "supervisor/calls/core.h"

/* The listener of the socket with this cookie, bound there (NULL: as usual); NONE: not known. */
uint32_t listener_find(struct state *state, uint64_t cookie, const union address *bound);

/* The same, or a new one: of the socket that call names and fd duplicates. NONE: too many. */
uint32_t listener_find_or_add(struct supervisor *s, const struct call *call, int fd,
			      uint64_t cookie, const union address *bound);

/* For recover.c: put it where it is found and counted. */
void listener_put(struct state *state, uint32_t listener);

/* Learn what may have been set after bind(), once it is seen to listen. */
void listener_learn(struct listener *listener, int fd);

/* Keep no duplicate that no held call needs. */
void listener_tidy(struct supervisor *s, uint32_t listener);

/* A duplicate of the socket from one of those who had it lately, owned by the caller; or -1. */
int listener_borrow(struct supervisor *s, const struct listener *listener);

/* Nobody listens there any more: as in the kernel, what was queued is gone. */
void listener_forget(struct supervisor *s, uint32_t listener);

/* The queue: at its end, in front, out of it, and (for one who takes over) in its old place. */
void listener_queue(struct supervisor *s, uint32_t listener, uint32_t conn);
void listener_queue_first(struct supervisor *s, uint32_t listener, uint32_t conn);
void listener_unqueue_first(struct supervisor *s, uint32_t listener);

/* Is its queue as long as it may be? */
bool listener_has_enough(struct supervisor *s, uint32_t listener);
void listener_requeue(struct supervisor *s, uint32_t conn);

/* What was added to a process's table, and not told: note it, or that it is told or taken back; and
 * the one that was looked at least lately, or NONE. */
void listener_owe(struct supervisor *s, uint32_t conn);
void listener_settle(struct supervisor *s, uint32_t conn);
uint32_t listener_next_owed(struct supervisor *s, uint32_t listener);

/* Are they members of one REUSEPORT group? */
bool listener_in_one_group(const struct listener *a, const struct listener *b);

/* Does its program decide which of its REUSEPORT group gets a connection? */
bool listener_is_steered(const struct state *state, const struct listener *listener);

/* A listener with something ready: this one, or another of its REUSEPORT group, whose program may
 * have been woken in its place; NONE. */
uint32_t listener_with_ready(struct supervisor *s, uint32_t listener);

/* Close an accepted connection and forget it; it is in no queue. */
void listener_drop_conn(struct supervisor *s, uint32_t conn);

#endif
