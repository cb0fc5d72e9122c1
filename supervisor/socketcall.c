/* i386's socketcall(2): one call for many, its arguments as 32-bit words in memory. */

#include <linux/net.h>
#include <sys/socket.h>

#include "supervisor/notify.h"
#include "supervisor/supervisor.h"
#include "supervisor/target.h"

void socketcall_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	static const uint8_t words[] = {
		[SYS_BIND] = 3,       [SYS_CONNECT] = 3, [SYS_ACCEPT] = 3,
		[SYS_GETSOCKOPT] = 5, [SYS_ACCEPT4] = 4,
	};
	uint64_t which = call->args[0];
	uint32_t args[6] = {0};
	uint32_t count = which < sizeof(words) ? words[which] : 0;
	if (count == 0 ||
	    target_read(s->state, call, call->args[1], args, count * (uint32_t)sizeof(*args)) < 0) {
		notify_pass(s->state, index);
		return;
	}
	for (uint32_t i = 0; i < 6; i++)
		call->args[i] = args[i];
	if (which == SYS_CONNECT)
		connect_call(s, index);
	else if (which == SYS_BIND)
		bind_call(s, index);
	else if (which != SYS_GETSOCKOPT)
		accept_call(s, index);
	else if (args[1] == SOL_SOCKET && args[2] == SO_ERROR)
		so_error_call(s, index);
	else
		notify_pass(s->state, index);
}
