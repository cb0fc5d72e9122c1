#include "supervisor/accept/wake.h"

#include "supervisor/accept/listener.h"
#include "supervisor/base/log.h"
#include "supervisor/base/reach.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/tunnel.h"

#define EXPECTED (2 * SECOND) /* from connect() until it is there, at most */
#define MOST     64           /* of one listener at once */

/* Each of a group, since the kernel decides which of them gets it; but of one launch. */
void wake_expect(struct supervisor *s, uint32_t program, const union address *asked)
{
	uint16_t port = address_port(asked);
	const struct reach *reach = &s->state->programs[program].reach;
	if (!tunnel_port_secured(s->state, reach, port))
		return;
	for (uint32_t i = 0; i < s->state->listener_pool.top; i++) {
		struct listener *listener = &s->state->listeners[i];
		/* its program may have ended, and another have the number */
		if (!listener->slot.used || listener->program != program ||
		    !reach_same(&listener->reach, reach) || address_port(&listener->bound) != port)
			continue;
		if (listener->wake_at + EXPECTED < loop_now())
			listener->wakes = 0;
		listener->wake_at = loop_now();
		if (listener->wakes < MOST)
			listener->wakes++;
	}
}

void wake_call(struct supervisor *s, uint32_t index)
{
	const struct call *call = &s->state->calls[index];
	struct sockaddr_storage raw;
	union address asked;
	uint64_t len = call->args[2];
	if (s->state->listening && len <= sizeof(raw) &&
	    target_read(s->state, call, call->args[1], &raw, (uint32_t)len) == 0 &&
	    address_from(&asked, &raw, len) == 0)
		wake_expect(s, call->program, &asked);
	notify_pass(s->state, index);
}

static bool is_of_this_machine(const struct conn *conn)
{
	union address here, peer = conn->peer;
	if (address_is_loopback(&peer))
		return true;
	if (socket_name(conn->fd, &here, NULL) < 0)
		return false;
	address_set_port(&peer, address_port(&here));
	return address_same(&peer, &here);
}

bool wake_may_be(struct supervisor *s, const struct conn *conn)
{
	const struct listener *listener = &s->state->listeners[conn->listener];
	return listener->wakes && listener->wake_at + EXPECTED >= conn->began &&
	       is_of_this_machine(conn);
}

bool wake_take(struct supervisor *s, uint32_t index)
{
	uint32_t listener = s->state->conns[index].listener;
	if (s->state->listeners[listener].wakes == 0)
		return false;
	log_debug("a supervised program connected to port %u: accept() returns the connection, "
		  "shut down",
		  (unsigned)address_port(&s->state->listeners[listener].bound));
	listener_queue(s, listener, index);
	s->state->listeners[listener].wakes--; /* one too many is the lesser evil */
	return true;
}
