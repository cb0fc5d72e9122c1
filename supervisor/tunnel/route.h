#ifndef GS_ROUTE_H
#define GS_ROUTE_H

/* Where an address that a program connects to leads. */

#include <stddef.h>

#include "supervisor/base/state.h"

enum route_kind {
	ROUTE_NONE,    /* not our business */
	ROUTE_TUNNEL,  /* into a tunnel */
	ROUTE_REALLY,  /* another port of a mapped name: where that name really leads */
	ROUTE_NO_PORT, /* another port of globus.<id>: nowhere */
};

struct route {
	enum route_kind kind;
	uint32_t tunnel, name; /* NONE where there is none */
};

/* asked: canonical, by a program that may use the tunnels of reach: others are not there for it.
 * Virtual addresses lead by their name and port; an access point's own address and port lead into
 * its tunnel, since nothing but an authenticated connection is of use there. */
struct route route_of(const struct state *state, const struct reach *reach,
		      const union address *asked);

/* Is that a virtual address that was given out to this call's programs, or may have been by a
 * supervisor that has ended? Of guests all are, so that what one means for a tunnel that it has not
 * got does not leave in clear. */
bool route_is_given(const struct state *state, const struct call *call, const union address *asked);

/* What the user calls the place that conn goes to: a name and port, or an address. */
void route_describe(const struct state *state, const struct conn *conn, char *text, size_t size);

#endif
