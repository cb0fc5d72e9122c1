#ifndef GW_TUNNEL_LIFE_H
#define GW_TUNNEL_LIFE_H

/* What a tunnel goes through: AWAITING_LISTENER, ACTIVE with its LAN port open, STOPPED. */

#include "contrib/gateway/state/gateway.h"

/* Open the ports of the tunnels that were active when the gateway ended; --new-ports gives them
 * other ones. From then on tunnels are stopped when their lifetime ends. */
void tunnels_start(struct gateway *gateway);

/* Close all ports and cut all calls; states are kept. */
void tunnels_finish(struct gateway *gateway);

/* The tunnel is new, or its lifetime: have it stopped in time. */
void tunnel_started(struct gateway *gateway, struct tunnel *tunnel);

/* Store a listener contact; a tunnel that waits for one becomes active. 0, or -errno: its LAN port
 * cannot be opened, and nothing is changed. */
int tunnel_set_listener(struct gateway *gateway, struct tunnel *tunnel,
			const struct contact *listener);

/* Stop it: its port is closed, its calls are cut. details: why, for its events. */
void tunnel_stop(struct gateway *gateway, struct tunnel *tunnel, const char *details);

#endif
