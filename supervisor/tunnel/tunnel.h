#ifndef GS_TUNNEL_H
#define GS_TUNNEL_H

/* The tunnels of this launch, and the access points' contacts. */

#include "protocol/conf.h"
#include "supervisor/base/state.h"

/* Add a tunnel (id in lower case) and its names; base: the folder of its conf file. 0; -EEXIST: it
 * is there already; -ENOSPC: too many tunnels, names or ports; -EDOM: a mapped host and port leads
 * to another tunnel already; -ENAMETOOLONG. On an error nothing has changed. */
int tunnel_add(struct state *state, const char *id, const char *base, const struct conf_view *view);

/* Add what another process says of a tunnel, or its ports to one that is there; again: which also
 * takes its secret, contact and names. Errors as above, and -EINVAL: nonsense. */
int tunnel_take(struct state *state, struct control_tunnel *message, bool again);

/* What its conf said, so that another supervisor can be told. It holds the secret. */
void tunnel_view(const struct state *state, uint32_t tunnel, struct conf_view *view);

/* The tunnel of that id whose conf file lies in base, or NONE: a daemon may serve both ends of one.
 */
uint32_t tunnel_find(const struct state *state, const char *id, const char *base);

/* Let it listen on port too. 0 or -ENOSPC. */
int tunnel_listen(struct state *state, uint32_t tunnel, uint16_t port);
bool tunnel_has_port(const struct tunnel *tunnel, uint16_t port);

/* In what follows, reach: of the program that asks. */

/* May a program's listening port be a tunnel's? */
bool tunnel_any_port(const struct state *state, const struct reach *reach, uint16_t port);

/* Must connections to that port authenticate? */
bool tunnel_port_secured(const struct state *state, const struct reach *reach, uint16_t port);

/* The tunnel that listens on port and whose secret has that id; NONE. */
uint32_t tunnel_by_key(const struct state *state, const struct reach *reach, uint16_t port,
		       const uint8_t key_id[UUID_BYTES]);

/* The tunnel whose access point is at address, or NONE. */
uint32_t tunnel_by_contact(const struct state *state, const struct reach *reach,
			   const union address *address);

/* Set the access point's contact (family 0: none). */
void tunnel_set_contact(struct state *state, uint32_t tunnel, const union address *contact);

#endif
