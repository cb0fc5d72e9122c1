#ifndef GW_LAN_PORT_H
#define GW_LAN_PORT_H

/* The LAN port of an active tunnel, at its initiator access point: it takes calls, each a struct
 * call (call.h), and looks up the listener contact for them. */

#include "contrib/gateway/base/resolve.h"
#include "contrib/gateway/state/gateway.h"

struct call;

struct lan_port {
	struct gateway *gateway;
	struct tunnel *tunnel;
	struct watch watch;
	int fd;
	struct timer pause;      /* before accept() is tried again after it failed */
	struct call *calls;      /* all that came by this port */
	struct resolve *resolve; /* a look-up that is under way */
	struct later free_later;
};

/* Open it, at the wanted port if that can be had (0: any), but not at the port to avoid (0: none).
 * 0 with tunnel->lan and tunnel->initiator_port set, or -errno. */
int lan_port_open(struct gateway *gateway, struct tunnel *tunnel, uint16_t wanted, uint16_t avoid);

/* Close it and cut every call that came by it. tunnel->lan is NULL afterwards. */
void lan_port_close(struct lan_port *port);

/* Look the listener contact up, for the calls that wait for it: call_resolved() is called for each.
 * 0, or -EAGAIN when it cannot be done now. */
int lan_port_resolve(struct lan_port *port);

/* The listener contact is another one now: a look-up that is under way starts over. */
void lan_port_contact_changed(struct lan_port *port);

/* A call could not use the listener: for the log, and for the tunnel's events. */
void lan_port_failed(struct lan_port *port, const char *what, const char *why);

#endif
