#include "supervisor/connect/inherit.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/connect/conn.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/lan.h"
#include "supervisor/tunnel/tunnel.h"

#define A_WHILE (10 * SECOND) /* no handshake takes longer */

static bool is_inherited(const struct supervisor *s, uint32_t call)
{
	const struct program *program = &s->state->programs[s->state->calls[call].program];
	return program->inherited && loop_now() - program->inherited < A_WHILE;
}

static void start_over(int fd)
{
	socket_disconnect(fd);
	socket_take_error(fd);
}

bool inherit_connect(struct supervisor *s, uint32_t call, int fd, const struct route *route)
{
	if (route->tunnel == NONE || !s->state->tunnels[route->tunnel].secured ||
	    !is_inherited(s, call))
		return false;
	int tcp = socket_tcp_state(fd);
	enum lan_past past =
		tcp == TCP_SYN_SENT || tcp == TCP_SYN_RECV ? LAN_UNCALLED : lan_past(fd);
	if (past == LAN_USED)
		return false;
	if (past == LAN_WHOLE) { /* its result was on the way */
		notify_return(s->state, call, 0);
		return true;
	}
	start_over(fd);
	if (past == LAN_UNCALLED)
		return false;
	log_warn("a connection was lost: the supervisor ended while authenticating it");
	notify_fail(s->state, call, ECONNRESET);
	return true;
}

bool inherit_so_error(struct supervisor *s, uint32_t call)
{
	union address peer;
	if (!is_inherited(s, call))
		return false;
	cleanup_socket int fd = target_descriptor(s->state, &s->state->calls[call],
						  (int)s->state->calls[call].args[0]);
	if (fd < 0 || !socket_is_tcp(fd) || conn_find(s->state, socket_cookie(fd)) != NONE ||
	    socket_tcp_state(fd) != TCP_ESTABLISHED || socket_peer(fd, &peer) < 0)
		return false;
	const struct call *seen = &s->state->calls[call];
	uint32_t tunnel =
		tunnel_by_contact(s->state, &s->state->programs[seen->program].reach, &peer);
	if (tunnel == NONE || !s->state->tunnels[tunnel].secured || lan_past(fd) >= LAN_WHOLE ||
	    !notify_valid(s->state, &s->state->calls[call]))
		return false;
	/* the program has been told EINPROGRESS: it cannot be held up until all is done again */
	start_over(fd);
	log_warn("a connection was lost: the supervisor ended while authenticating it");
	conn_answer_so_error(s, call, ECONNRESET);
	return true;
}
