#ifndef GW_CALL_H
#define GW_CALL_H

/* One connection through a tunnel: from an initiator application to a listener application. See
 * call.c. */

#include "contrib/gateway/relay/lan_port.h"

/* Begin with a connection that was accepted at the port; the descriptor is the call's. */
void call_begin(struct lan_port *port, int fd);

/* Break it off: both applications get a RST. */
void call_cut(struct call *call);

/* The look-up that the call may have waited for is done; count 0: it failed. */
void call_resolved(struct call *call, const union address *addresses, size_t count,
		   const char *why);

struct call *call_next(const struct call *call);

#endif
