/* i386's socketcall(2): one call for many, its arguments as 32-bit words in memory. */

#include <errno.h>
#include <linux/net.h>
#include <sys/socket.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/unseen.h"
#include "supervisor/calls/blind.h"
#include "supervisor/connect/connect.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/target.h"

static void dispatch(struct supervisor *s, uint32_t index, uint64_t which)
{
	const struct call *call = &s->state->calls[index];
	switch (which) {
	case SYS_CONNECT:
		connect_or_question(s, index);
		return;
	case SYS_BIND:
		bind_call(s, index);
		return;
	case SYS_LISTEN:
		listen_call(s, index);
		return;
	case SYS_SENDTO:
		send_call(s, index, SEND_TO);
		return;
	case SYS_SENDMSG:
		send_call(s, index, SEND_MESSAGE);
		return;
	case SYS_SENDMMSG:
		send_call(s, index, SEND_MESSAGES);
		return;
	case SYS_GETSOCKOPT:
		if ((int)call->args[1] == SOL_SOCKET && (int)call->args[2] == SO_ERROR)
			so_error_call(s, index);
		else
			notify_pass(s->state, index);
		return;
	default:
		accept_call(s, index);
	}
}

/* What it asks for is known, with what arguments is not. */
static void unread(struct supervisor *s, uint32_t index, uint64_t which, int error)
{
	const struct call *call = &s->state->calls[index];
	bool sends = which == SYS_CONNECT || which == SYS_SENDTO || which == SYS_SENDMSG ||
		     which == SYS_SENDMMSG;
	if (which == SYS_BIND && error != -EFAULT)
		unseen_mark(s, call); /* of what family is not known */
	if ((which == SYS_ACCEPT || which == SYS_ACCEPT4) && error != -EFAULT)
		unseen_accept(s, index, error);
	else if (error != -EFAULT && sends && !s->state->programs[call->program].only_listens &&
		 blind_is_told(s, call, error))
		blind_refuse(s, index, error);
	else
		notify_pass(s->state, index);
}

void socketcall_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	static const uint8_t words[] = {
		[SYS_BIND] = 3,    [SYS_CONNECT] = 3, [SYS_LISTEN] = 2,
		[SYS_ACCEPT] = 3,  [SYS_SENDTO] = 6,  [SYS_GETSOCKOPT] = 5,
		[SYS_SENDMSG] = 3, [SYS_ACCEPT4] = 4, [SYS_SENDMMSG] = 4,
	};
	uint64_t which = (uint32_t)call->args[0];
	uint32_t args[6] = {0};
	uint32_t count = which < sizeof(words) ? words[which] : 0;
	int err = count == 0 ? -EFAULT
			     : target_read(s->state, call, call->args[1], args,
					   count * (uint32_t)sizeof(*args));
	if (err < 0) {
		unread(s, index, which, err);
		return;
	}
	for (uint32_t i = 0; i < 6; i++)
		call->args[i] = args[i];
	dispatch(s, index, which);
}
