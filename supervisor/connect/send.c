/*
 * sendto() with an address, which the filter shows: tunnels carry TCP, and a datagram to a virtual
 * address would leave for wherever the network sends it. And i386's sends, whose flags it cannot
 * see.
 */

#include <errno.h>
#include <sys/socket.h>

#include "supervisor/base/address.h"
#include "supervisor/base/log.h"
#include "supervisor/calls/blind.h"
#include "supervisor/connect/connect.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/names.h"
#include "supervisor/tunnel/route.h"

static void refuse(struct supervisor *s, uint32_t index, const union address *to)
{
	char text[ADDRESS_TEXT];
	const struct call *call = &s->state->calls[index];
	cleanup_socket int fd = target_descriptor(s->state, call, (int)call->args[0]);
	if (!notify_valid(s->state, call)) {
		notify_forget(s->state, index);
		return;
	}
	if (fd >= 0 && socket_is_tcp(fd)) { /* it is connected, or else sends nothing */
		notify_pass(s->state, index);
		return;
	}
	address_format(to, text);
	uint32_t name = names_by_address(s->state, NULL, to);
	log_warn("a datagram of process %d to %s is refused: tunnels carry TCP only",
		 (int)call->notif.pid, name == NONE ? text : s->state->names[name].host);
	notify_fail(s->state, index, fd == -EBADF || fd == -ENOTSOCK ? -fd : ECONNREFUSED);
}

static void send_to(struct supervisor *s, uint32_t index, uint64_t at, uint64_t size)
{
	const struct call *call = &s->state->calls[index];
	struct sockaddr_storage raw = {0};
	union address to;
	int32_t len = (int32_t)size;
	if (at == 0 || len < (int32_t)sizeof(struct sockaddr_in) || len > (int32_t)sizeof(raw)) {
		notify_pass(s->state, index);
		return;
	}
	int err = target_read(s->state, call, at, &raw, (uint32_t)len);
	if (err < 0) {
		blind_answer(s, index, size, err);
		return;
	}
	if (raw.ss_family == AF_UNSPEC) /* as UDP takes it */
		raw.ss_family = AF_INET;
	if (address_from(&to, &raw, (size_t)len) < 0 || !route_is_given(s->state, call, &to))
		notify_pass(s->state, index);
	else
		refuse(s, index, &to);
}

void send_call(struct supervisor *s, uint32_t index, enum send_kind kind)
{
	const struct call *call = &s->state->calls[index];
	uint64_t flags = call->args[kind == SEND_MESSAGE ? 2 : 3];
	if (flags & MSG_FASTOPEN)
		notify_fail(s->state, index, EOPNOTSUPP);
	else if (kind == SEND_TO)
		send_to(s, index, call->args[4], call->args[5]);
	else
		notify_pass(s->state, index);
}
