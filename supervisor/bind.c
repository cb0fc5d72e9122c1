/* bind(): the kernel does it; a tunnel's port is noted. */

#include <sys/socket.h>

#include "supervisor/address.h"
#include "supervisor/chore.h"
#include "supervisor/fault.h"
#include "supervisor/fd.h"
#include "supervisor/log.h"
#include "supervisor/notify.h"
#include "supervisor/socket.h"
#include "supervisor/supervisor.h"
#include "supervisor/target.h"
#include "supervisor/tunnel.h"

/* The access point calls the listener contact: warn where that cannot reach the address bound. */
static void check_reachable(const struct state *state, const union address *bound)
{
	char text[ADDRESS_TEXT];
	uint16_t port = address_port(bound);
	if (address_is_any(bound))
		return;
	for (uint32_t i = 0; i < state->tunnel_count; i++) {
		const struct tunnel *tunnel = &state->tunnels[i];
		struct contact contact = {.port = port};
		union address wanted;
		if (!tunnel_has_port(tunnel, port) || !tunnel->listener_host[0])
			continue;
		__builtin_memcpy(contact.host, tunnel->listener_host, sizeof(contact.host));
		if (address_from_contact(&wanted, &contact) < 0 || address_same(&wanted, bound))
			continue;
		address_format(bound, text);
		log_warn("the program listens on %s, but the listener contact of tunnel %s is "
			 "%s:%u: "
			 "the access point will not reach it",
			 text, tunnel->id, tunnel->listener_host, (unsigned)port);
	}
}

void bind_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	struct sockaddr_storage raw;
	union address bound;
	int32_t len = (int32_t)call->args[2];
	if ((int32_t)call->args[0] == QUESTION_FD) {
		question_call(s, index);
		return;
	}
	if (len >= (int32_t)sizeof(raw.ss_family) && len <= (int32_t)sizeof(raw) &&
	    target_read(s->state, call, call->args[1], &raw, (uint32_t)len) == 0 &&
	    address_from(&bound, &raw, (size_t)len) == 0 &&
	    tunnel_any_port(s->state, address_port(&bound))) {
		/* a duplicate that a call left behind would keep the port in use */
		supervisor_sweep(s);
		cleanup_socket int fd = target_descriptor(s->state, call, (int)call->args[0]);
		if (fd >= 0 && socket_is_tcp(fd) && notify_valid(s->state, call)) {
			check_reachable(s->state, &bound);
			accept_expect(s, call, fd, &bound);
			fault_point("bind.noted");
		}
	}
	notify_pass(s->state, index);
}
