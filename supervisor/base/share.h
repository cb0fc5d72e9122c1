#ifndef GS_SHARE_H
#define GS_SHARE_H

/*
 * What one user's programs of one launch, or all of one guest, have of the listeners, held calls
 * and connects: nobody's may use up the others' (limits listeners-each, calls-each, connects-each).
 * A share is there while something counts in it, or while its user is known to let accept() block.
 */

#include "supervisor/base/state.h"

/* Would one more be too much for that user's programs in this launch? Then it is counted. limit:
 * the one of each. */
bool share_full(struct state *state, uint32_t program, uint32_t uid, enum part part,
		enum limit limit);

/* Count one in, and the share that has it: NONE where there are too many shares, then only the
 * bounds of all hold. And one out again. */
uint32_t share_add(struct state *state, uint32_t program, uint32_t uid, enum part part);
void share_drop(struct state *state, uint32_t share, enum part part);

/* accept() has blocked on a listener of that share. */
void share_contest(struct state *state, uint32_t share);

/* Has it so often that these programs' listeners are left alone? */
bool share_outlawed(const struct state *state, uint32_t share);

/* The most that one share has of it. */
uint32_t share_most(const struct state *state, enum part part);

/* A program has ended: nothing is known of its users any more. */
void share_end(struct state *state, uint32_t program);

/* For recover.c: nothing counts in any, to be counted again; only who is contested stays known. */
void share_recover(struct state *state);

#endif
