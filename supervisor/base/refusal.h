#ifndef GS_REFUSAL_H
#define GS_REFUSAL_H

/* Connections that were refused are counted by reason: enum refusal, protocol/control.h. */

#include "supervisor/base/state.h"

/* A conn has failed with that errno; 0: no errno says why. */
void refusal_count(struct state *state, const struct conn *conn, int error);

#endif
