#ifndef GS_REAL_H
#define GS_REAL_H

/*
 * Where mapped names really lead. A program that does not see our address of such a name, having no
 * shim or a resolver of its own, connects to the host itself, past the tunnel and in clear: it is
 * refused where that address is known. All addresses are looked up in the background: at the start,
 * which waits for it for 2 s at most, and again when something connects a minute later. Best
 * effort: others may share an address, and another look-up may give another one.
 */

#include "supervisor/base/state.h"

/* Look them all up, if that was not done lately. */
void real_refresh(struct state *state);

/* Are they being looked up? Begins with it where that is due. */
bool real_is_pending(struct state *state);

/* A name's lookup is over: go on with others. */
void real_looked_up(struct state *state);

/* For a supervisor that begins: what is known is found. */
void real_recover(struct state *state);

/* Note an address that a name leads to; first: instead of those before. */
void real_add(struct name *name, const union address *address, bool first);

/* The mapped name that leads to this very address, with a port of it that leads to a tunnel; NONE.
 */
uint32_t real_find(const struct state *state, const struct reach *reach,
		   const union address *address);

#endif
