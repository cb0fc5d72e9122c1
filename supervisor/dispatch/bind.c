/* bind() and listen(): the kernel does them; sockets that will listen on a tunnel's port are noted.
 * We see both calls before they run: only a socket that is about to listen is certainly bound. */

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/listener.h"
#include "supervisor/accept/unseen.h"
#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/reach.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/tunnel.h"

#define AUTOBOUND      16
#define AUTOBOUND_MOST 256    /* looked at: who binds so many sockets does not listen on them */
#define LISTENS_SOON   SECOND /* on a tunnel's port, after it has listened on another */

/* Cookies of sockets that were bound to any port. */
static uint64_t autobound[AUTOBOUND];
static unsigned autobound_next;

static const struct reach *reach_of(const struct supervisor *s, const struct call *call)
{
	return &s->state->programs[call->program].reach;
}

/* One line a port: a program has as many addresses as it likes. */
static void warn_unreachable(const struct tunnel *tunnel, const union address *bound, uint16_t port)
{
	char text[ADDRESS_TEXT], key[sizeof(tunnel->id) + 32];
	snprintf(key, sizeof(key), "unreachable %s %u", tunnel->id, (unsigned)port);
	struct log_about about = {.tunnel = tunnel->id, .key = key};
	address_format(bound, text);
	log_event(LOG_WARN, &about,
		  "the program listens on %s, but the listener contact of tunnel %s is %s:%u: the "
		  "access point will not reach it",
		  text, tunnel->id, tunnel->listener_host, (unsigned)port);
}

/* The access point connects to the listener contact: warn if it cannot reach the bound address that
 * way. */
static void check_reachable(const struct state *state, const struct reach *reach,
			    const union address *bound)
{
	uint16_t port = address_port(bound);
	if (address_is_any(bound))
		return;
	for (uint32_t i = 0; i < state->tunnel_count; i++) {
		const struct tunnel *tunnel = &state->tunnels[i];
		struct contact contact = {.port = port};
		union address wanted;
		if (!tunnel_has_port(tunnel, port) || !tunnel->listener_host[0] ||
		    !reach_has(reach, i))
			continue;
		__builtin_memcpy(contact.host, tunnel->listener_host, sizeof(contact.host));
		if (address_from_contact(&wanted, &contact) < 0 || address_same(&wanted, bound))
			continue;
		warn_unreachable(tunnel, bound, port);
	}
}

/* --- bind --- */

/* A port that the kernel chooses is for somebody whom the program tells it. */
static void note_autobound(struct supervisor *s, struct call *call)
{
	const struct program *program = &s->state->programs[call->program];
	if (program->listened || program->other_port || autobound_next >= AUTOBOUND_MOST)
		return;
	cleanup_socket int fd = target_descriptor(s->state, call, (int)call->args[0]);
	if (fd >= 0 && socket_is_tcp(fd))
		autobound[autobound_next++ % AUTOBOUND] = socket_cookie(fd);
}

static void bind_to(struct supervisor *s, struct call *call, const union address *to)
{
	uint16_t port = address_port(to);
	if (port == 0)
		note_autobound(s, call);
	if (port == 0 || !tunnel_any_port(s->state, reach_of(s, call), port))
		return;
	/* a duplicate that a call left behind would keep the port in use */
	supervisor_sweep(s);
	unseen_mark(s, call);
	fault_point("bind.noted");
}

void bind_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	struct sockaddr_storage raw;
	union address to;
	int32_t len = (int32_t)call->args[2];
	if ((int32_t)call->args[0] == QUESTION_FD) {
		question_call(s, index);
		return;
	}
	if (len >= (int32_t)sizeof(raw.ss_family) && len <= (int32_t)sizeof(raw)) {
		int err = target_read(s->state, call, call->args[1], &raw, (uint32_t)len);
		if (err == 0 && address_from(&to, &raw, (size_t)len) == 0)
			bind_to(s, call, &to);
		else if (err < 0 && err != -EFAULT && unseen_length(call->args[2]))
			unseen_mark(s, call);
	}
	notify_pass(s->state, index);
}

/* --- listen --- */

static bool is_autobound(uint64_t cookie)
{
	for (unsigned i = 0; i < AUTOBOUND; i++)
		if (autobound[i] == cookie)
			return true;
	return false;
}

static const struct tunnel *first_that_listens(const struct state *state, const struct reach *reach)
{
	for (uint32_t i = 0; i < state->tunnel_count; i++)
		if (state->tunnels[i].ports[0] && reach_has(reach, i))
			return &state->tunnels[i];
	return NULL;
}

/* One that the access point could not reach is for the program's own. */
static bool is_for_others(const struct state *state, const struct reach *reach,
			  const union address *bound)
{
	const struct tunnel *tunnel = first_that_listens(state, reach);
	struct contact contact = {.port = 1};
	union address wanted;
	if (!tunnel || !address_is_loopback(bound))
		return tunnel != NULL;
	__builtin_memcpy(contact.host, tunnel->listener_host, sizeof(contact.host));
	return address_from_contact(&wanted, &contact) == 0 && address_is_loopback(&wanted);
}

static void listen_elsewhere(struct supervisor *s, const struct call *call, int fd,
			     const union address *bound)
{
	struct program *program = &s->state->programs[call->program];
	if (program->listened || program->other_port || is_autobound(socket_cookie(fd)) ||
	    !is_for_others(s->state, &program->reach, bound))
		return;
	program->other_at = loop_now();
	program->other_port = address_port(bound);
	s->sweep_pace = LISTENS_SOON / 8;
	supervisor_sweep_later(s);
}

static void listen_at_tunnel(struct supervisor *s, const struct call *call, int fd,
			     const union address *bound)
{
	s->state->programs[call->program].listened = true;
	check_reachable(s->state, reach_of(s, call), bound);
	if (!tunnel_port_secured(s->state, reach_of(s, call), address_port(bound)))
		return;
	unseen_mark(s, call);
	if (supervisor_is_elsewhere(s, call, fd))
		return; /* accept() says so */
	uint32_t listener = listener_find_or_add(s, call, fd, socket_cookie(fd), bound);
	if (listener == NONE)
		return;
	fault_point("listen.noted");
	accept_look_again(s, listener, LISTENS + 1); /* has it failed? */
	s->sweep_pace = SECOND / 8;
	supervisor_sweep_later(s);
}

void listen_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	union address bound;
	cleanup_socket int fd = target_descriptor(s->state, call, (int)call->args[0]);
	if (fd >= 0 && socket_is_tcp(fd) && socket_name(fd, &bound, NULL) == 0 &&
	    address_port(&bound) && notify_valid(s->state, call)) {
		if (tunnel_any_port(s->state, reach_of(s, call), address_port(&bound)))
			listen_at_tunnel(s, call, fd, &bound);
		else
			listen_elsewhere(s, call, fd, &bound);
	}
	notify_pass(s->state, index);
}

/* --- which of several gets a connection --- */

/* Which socket it is for is not asked: it may not be bound yet, and all of its group are meant. */
void steer_call(struct supervisor *s, uint32_t index)
{
	s->state->programs[s->state->calls[index].program].steers = true;
	notify_pass(s->state, index);
}

/* --- later --- */

static void tell_elsewhere(const struct state *state, const struct program *program)
{
	const struct tunnel *tunnel = first_that_listens(state, &program->reach);
	uint16_t port = program->other_port;
	log_warn("the program listens on port %u, but the port of tunnel %s is %u; have the "
		 "program listen on that, or change the tunnel's port with `globus-streams "
		 "environment initialize --force --listener-contact-string HOST:%u`",
		 (unsigned)port, tunnel->id, (unsigned)tunnel->ports[0], (unsigned)port);
}

bool bind_sweep(struct supervisor *s)
{
	bool more = false;
	for (uint32_t i = 0; i < s->state->program_pool.top; i++) {
		struct program *program = &s->state->programs[i];
		if (!program->slot.used || program->listened || !program->other_at)
			continue;
		more = true;
		if (loop_now() - program->other_at < LISTENS_SOON)
			continue;
		program->other_at = 0; /* once */
		tell_elsewhere(s->state, program);
	}
	return more;
}
