#include "contrib/gateway/relay/lan_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/base/cleanup.h"
#include "contrib/gateway/base/log.h"
#include "contrib/gateway/relay/call.h"

#define ACCEPT_ROUND 64  /* calls taken in one turn */
#define PAUSE        100 /* ms */
#define CALLS_SPARE  256 /* calls beyond the limit that are answered "busy" */

static void take_call(struct lan_port *port, int fd)
{
	struct gateway *gateway = port->gateway;

	if (gateway->calls >= gateway->calls_max + CALLS_SPARE) {
		net_reset(fd);
		return;
	}
	call_begin(port, fd);
}

static void accept_calls(struct watch *watch, uint32_t events)
{
	struct lan_port *port = container_of(watch, struct lan_port, watch);
	struct loop *loop = port->gateway->loop;

	for (int i = 0; i < ACCEPT_ROUND; i++) {
		int fd = accept4(port->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_call(port, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_warn("tunnel %s: no connections are accepted for the moment: %s",
				 port->tunnel->id, strerror(errno));
			loop_forget(loop, watch);
			loop_arm(loop, &port->pause, loop_now(loop) + PAUSE);
		}
		return;
	}
}

static void end_pause(struct timer *timer)
{
	struct lan_port *port = container_of(timer, struct lan_port, pause);
	struct loop *loop = port->gateway->loop;

	if (loop_watch(loop, &port->watch, port->fd, EPOLLIN) < 0)
		loop_arm(loop, &port->pause, loop_now(loop) + PAUSE);
}

static void free_port(struct later *later)
{
	free(container_of(later, struct lan_port, free_later));
}

static int listen_at(const struct gateway *gateway, uint16_t wanted, uint16_t avoid, uint16_t *port)
{
	union address address = gateway->address;
	int fd = -1;

	address_set_port(&address, wanted);
	if (wanted)
		fd = net_listen(&address, port);
	return fd < 0 ? net_listen_elsewhere(&address, avoid, port) : fd;
}

int lan_port_open(struct gateway *gateway, struct tunnel *tunnel, uint16_t wanted, uint16_t avoid)
{
	struct lan_port *port = calloc(1, sizeof(*port));
	cleanup_fd int fd = -1;
	uint16_t number;
	int error;

	if (!port)
		return -ENOMEM;
	fd = listen_at(gateway, wanted, avoid, &number);
	port->gateway = gateway;
	port->tunnel = tunnel;
	port->watch = (struct watch){.ready = accept_calls, .fd = -1};
	port->pause.fire = end_pause;
	port->free_later.run = free_port;
	error = fd < 0 ? fd : loop_watch(gateway->loop, &port->watch, fd, EPOLLIN);
	if (error) {
		free(port);
		return error;
	}
	port->fd = steal_fd(&fd);
	tunnel->lan = port;
	tunnel->initiator_port = number;
	return 0;
}

void lan_port_close(struct lan_port *port)
{
	struct loop *loop = port->gateway->loop;

	while (port->calls)
		call_cut(port->calls);
	resolve_cancel(port->resolve);
	loop_disarm(loop, &port->pause);
	loop_forget(loop, &port->watch);
	close(port->fd);
	port->tunnel->lan = NULL;
	loop_later(loop, &port->free_later);
}

static void tell_calls(void *user, const union address *addresses, size_t count, const char *why)
{
	struct lan_port *port = user;
	struct call *next;

	port->resolve = NULL;
	for (struct call *call = port->calls; call; call = next) {
		next = call_next(call);
		call_resolved(call, addresses, count, why);
	}
}

int lan_port_resolve(struct lan_port *port)
{
	struct gateway *gateway = port->gateway;

	if (!port->resolve)
		port->resolve =
			resolve_start(gateway->offload, &port->tunnel->listener, tell_calls, port);
	return port->resolve ? 0 : -EAGAIN;
}

void lan_port_contact_changed(struct lan_port *port)
{
	if (!port->resolve)
		return;
	resolve_cancel(steal_pointer(port->resolve));
	if (lan_port_resolve(port) < 0)
		tell_calls(port, NULL, 0, "no thread for the lookup");
}

void lan_port_failed(struct lan_port *port, const char *what, const char *why)
{
	log_detail("tunnel %s: %s: %s", port->tunnel->id, what, why);
	tunnel_listener_failed(&port->gateway->store, port->tunnel, what, why);
}
