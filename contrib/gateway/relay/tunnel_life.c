#include "contrib/gateway/relay/tunnel_life.h"

#include <string.h>

#include "contrib/gateway/base/cleanup.h"
#include "contrib/gateway/base/log.h"
#include "contrib/gateway/relay/lan_port.h"

#define LONGEST_NAP 60000 /* ms between looks at the clock, which may be set */

/* --- the end of lifetimes --- */

/* Stop the tunnels that are at their end: epoch s of the next one's, 0 when there is none. */
static int64_t stop_expired(struct gateway *gateway)
{
	int64_t now = epoch_now(), next = 0;

	for (size_t i = 0; i < gateway->store.tunnel_count; i++) {
		struct tunnel *tunnel = gateway->store.tunnels[i];
		int64_t expires = tunnel_expires(tunnel);

		if (tunnel->state == TUNNEL_STOPPED)
			continue;
		if (expires <= now)
			tunnel_stop(gateway, tunnel, "The lifetime of the tunnel has ended");
		else if (!next || expires < next)
			next = expires;
	}
	return next;
}

static void reap(struct timer *timer)
{
	struct gateway *gateway = container_of(timer, struct gateway, reaper);
	int64_t next = stop_expired(gateway), nap;

	if (!next)
		return;
	nap = (next - epoch_now()) * 1000;
	if (nap > LONGEST_NAP)
		nap = LONGEST_NAP;
	loop_arm(gateway->loop, timer, loop_now(gateway->loop) + (nap < 1 ? 1 : nap));
}

/* --- */

static int open_port(struct gateway *gateway, struct tunnel *tunnel)
{
	uint16_t before = tunnel->initiator_port;
	bool move = gateway->options->new_ports;

	return lan_port_open(gateway, tunnel, move ? 0 : before, move ? before : 0);
}

static void reopen(struct gateway *gateway, struct tunnel *tunnel)
{
	int error = open_port(gateway, tunnel);

	if (error)
		log_warn("tunnel %s: cannot open its LAN port: %s", tunnel->id, strerror(-error));
	gateway->store.changed = true;
}

void tunnels_start(struct gateway *gateway)
{
	gateway->reaper.fire = reap;
	reap(&gateway->reaper);
	for (size_t i = 0; i < gateway->store.tunnel_count; i++) {
		if (gateway->store.tunnels[i]->state == TUNNEL_ACTIVE)
			reopen(gateway, gateway->store.tunnels[i]);
	}
}

static void close_port(struct tunnel *tunnel)
{
	if (tunnel->lan)
		lan_port_close(tunnel->lan);
}

void tunnels_finish(struct gateway *gateway)
{
	loop_disarm(gateway->loop, &gateway->reaper);
	for (size_t i = 0; i < gateway->store.tunnel_count; i++)
		close_port(gateway->store.tunnels[i]);
}

void tunnel_started(struct gateway *gateway, struct tunnel *tunnel)
{
	tunnel_add_event(&gateway->store, tunnel, EVENT_STARTED, epoch_now(),
			 "The tunnel was created");
	reap(&gateway->reaper);
}

int tunnel_set_listener(struct gateway *gateway, struct tunnel *tunnel,
			const struct contact *listener)
{
	struct contact before = tunnel->listener;
	int error;

	tunnel->listener = *listener;
	gateway->store.changed = true;
	if (tunnel->lan) {
		lan_port_contact_changed(tunnel->lan);
		return 0;
	}
	error = lan_port_open(gateway, tunnel, tunnel->initiator_port, 0);
	if (error) {
		tunnel->listener = before;
		return error;
	}
	if (tunnel->state != TUNNEL_ACTIVE)
		tunnel_add_event(&gateway->store, tunnel, EVENT_ACTIVE, epoch_now(),
				 "The listener contact is known");
	tunnel->state = TUNNEL_ACTIVE;
	return 0;
}

void tunnel_stop(struct gateway *gateway, struct tunnel *tunnel, const char *details)
{
	int64_t now = epoch_now(), expires = tunnel_expires(tunnel);

	close_port(tunnel);
	tunnel->state = TUNNEL_STOPPED;
	tunnel_add_event(&gateway->store, tunnel, EVENT_STOPPED, now < expires ? now : expires,
			 details);
}
