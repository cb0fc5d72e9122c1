#ifndef GS_STRANGER_H
#define GS_STRANGER_H

/*
 * Strangers: connections that have not authenticated, in the order of their coming; those of one
 * listener, of one address (of IPv6, of one /64), and all. Where there are too many, the oldest
 * that has said nothing goes, then the oldest. Each of these functions takes the same little time
 * however many there are. Addresses are told apart by a hash with a random key: few share a source,
 * and nobody knows with whom.
 */

#include "supervisor/base/state.h"

/* The source of connections from peer. */
uint32_t stranger_source(struct state *state, const union address *peer);

/* A conn with its listener and source becomes one; it has said something; it is none any more. */
void stranger_add(struct state *state, uint32_t conn);
void stranger_talks(struct state *state, uint32_t conn);
void stranger_remove(struct state *state, uint32_t conn);

/* Who has to go of two lists, silent ones and others; NONE: nobody is there. */
uint32_t stranger_oldest(const struct list strangers[2]);

/* For recover.c: there are none, of any listener. */
void stranger_recover(struct state *state);

#endif
