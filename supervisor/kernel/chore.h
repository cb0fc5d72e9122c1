#ifndef GS_CHORE_H
#define GS_CHORE_H

/*
 * Chores: what may take as long as a program likes, or long by itself, so that nobody can wait for
 * it. The keeper starts a process for each, which shares the descriptor table and the mapping, does
 * the one thing, and ends. One that never ends costs nobody anything but itself.
 */

#include "supervisor/base/state.h"

/* Once, at start: whose chores they are. */
void chore_init(struct state *state);

/* Give back a duplicate of a program's socket, or what should have been one: closed here, or by a
 * chore, where close() would wait: for the peer (SO_LINGER, socket(7)), or for the server of a file
 * that is no socket (FUSE's FLUSH), which marks whoever had us take it. */
void chore_release(int fd);
void chore_release_odd(uint32_t program, int tid, int fd);

/* The same at the end of a scope. */
static inline void chore_cleanup(int *fd)
{
	if (*fd >= 0)
		chore_release(*fd);
}
#define cleanup_socket __attribute__((cleanup(chore_cleanup)))

/* Disconnect a program's socket, and close it. */
void chore_discard(int fd);

/* The same of many, by few chores: each of them, and then all. */
void chore_discard_also(int fd);
void chore_discard_those(void);

/* Have fd, a conn's socket, or with conn NONE a descriptor that is the chore's from then on, put
 * into the table of the program that made a call: 0; -EAGAIN: not now. */
int chore_inject(struct state *state, uint32_t conn, int fd, uint32_t call, bool cloexec);

/* Is that under way for this conn, or this call? */
bool chore_injects(const struct state *state, uint32_t conn);
bool chore_injects_for(const struct state *state, uint32_t call);

/* See that those are searched for who have search set to SEARCH_WANTED. False: not now. */
bool chore_search(struct state *state);

/* A chore that is done and whose end somebody waits for, or NULL; to be given back. */
struct chore *chore_done(struct state *state);
void chore_give(struct chore *chore);

/* The first one at that stage, or NULL. */
struct chore *chore_find(struct state *state, enum chore_stage stage);

#endif
