#include "contrib/gateway/relay/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/base/cleanup.h"
#include "contrib/gateway/base/log.h"
#include "contrib/gateway/relay/handshake.h"
#include "contrib/gateway/relay/relay.h"

/*
 * The gateway is both access points of a tunnel, so one call is the whole way:
 *
 *     initiator application ── LAN leg ──► [ gateway ] ── LAN leg ──► listener application
 *                           we answer                  we call
 *
 *     ANSWERING   the caller proves itself to us            (not on a leg without a secret)
 *     TRAVELLING  the way to the other access point         (not without --listener-delay)
 *     RESOLVING   the listener contact is a name            (not for an address)
 *     CONNECTING  to each of its addresses in turn
 *     CALLING     we prove ourselves to the listener        (not on a leg without a secret)
 *     REPLYING    STATUS goes to the caller                 (not on a leg without a secret)
 *     RELAYING    the connection is the applications'
 *
 * Only then does the caller's connect() succeed: so it never succeeds for a listener that is not
 * there. A leg is without a secret when none was ever made for it (and with --as-globus); one whose
 * secrets were all deleted or have expired is refused. Everything up to RELAYING has to be done
 * within HANDSHAKE_LIMIT of the accept; a listener that takes too long is given up LISTENER_SPARE
 * before that, while the caller is still there to be told.
 */

#define HANDSHAKE_LIMIT 10000 /* ms */
#define LISTENER_SPARE  1000  /* ms */
#define LEG_EVENTS      (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

enum state { ANSWERING, TRAVELLING, RESOLVING, CONNECTING, CALLING, REPLYING, RELAYING, OVER };

/* The two ends of a call, as the relay numbers them. */
enum { INITIATOR, LISTENER };

struct leg {
	struct watch watch;
	int side; /* its place in legs[] */
	int fd;   /* -1: none */
	struct handshake handshake;
};

struct call {
	struct lan_port *port;
	struct call *next, **link; /* in port->calls */
	enum state state;
	bool secured[SIDES];
	bool left; /* the caller went away, or will not say more, before RELAYING */
	struct leg legs[2];
	int64_t accepted;
	struct timer limit;
	struct timer delay; /* --lan-delay, --listener-delay */
	union address targets[RESOLVE_MAX];
	size_t target_count, target;
	struct relay relay;
	struct later free_later;
};

static void step(struct call *call);

struct call *call_next(const struct call *call)
{
	return call->next;
}

/* --- the end of a call --- */

static void free_call(struct later *later)
{
	free(container_of(later, struct call, free_later));
}

static void close_leg(struct call *call, struct leg *leg, bool reset)
{
	loop_forget(call->port->gateway->loop, &leg->watch);
	if (leg->fd < 0)
		return;
	if (reset)
		net_reset(steal_fd(&leg->fd));
	else
		close(steal_fd(&leg->fd));
}

static void end_call(struct call *call, bool reset)
{
	struct gateway *gateway = call->port->gateway;

	loop_disarm(gateway->loop, &call->limit);
	loop_disarm(gateway->loop, &call->delay);
	close_leg(call, &call->legs[INITIATOR], reset);
	close_leg(call, &call->legs[LISTENER], reset);
	call->state = OVER;
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	gateway->calls--;
	loop_later(gateway->loop, &call->free_later);
}

void call_cut(struct call *call)
{
	if (call->state == RELAYING)
		relay_stop(&call->relay);
	end_call(call, true);
}

static void log_end(const struct call *call, const char *what, const char *why)
{
	log_detail("tunnel %s: %s: %s", call->port->tunnel->id, what, why);
}

/* --- RELAYING --- */

static void relay_over(struct relay *relay, bool broke)
{
	end_call(container_of(relay, struct call, relay), broke);
}

static void begin_relay(struct call *call)
{
	struct gateway *gateway = call->port->gateway;

	loop_disarm(gateway->loop, &call->limit);
	call->state = RELAYING;
	log_detail("tunnel %s: connection established", call->port->tunnel->id);
	tunnel_listener_reached(&gateway->store, call->port->tunnel);
	relay_start(&call->relay, gateway->loop, gateway->pipes, call->legs[INITIATOR].fd,
		    call->legs[LISTENER].fd, relay_over);
}

/* --- REPLYING --- */

static const char *access_point(const struct call *call, enum side side)
{
	return call->port->tunnel->access_point[side];
}

/* The secret that the caller named in HELLO; NULL: there is none by that id. */
static const struct secret *named_secret(const struct call *call)
{
	uuid_text id;

	uuid_format(lan_auth_key_id(&call->legs[INITIATOR].handshake.auth), id);
	return tunnel_secret(call->port->tunnel, access_point(call, SIDE_INITIATOR), id);
}

/* Tell the caller how it went, and go on from there. */
static void reply(struct call *call, enum lan_auth_code code)
{
	struct lan_auth *auth = &call->legs[INITIATOR].handshake.auth;
	const struct secret *secret;

	if (code != LAN_AUTH_OK) {
		log_end(call, "connection refused", lan_auth_code_name(code));
		close_leg(call, &call->legs[LISTENER], true);
	}
	if (!call->secured[SIDE_INITIATOR] && code == LAN_AUTH_OK) {
		begin_relay(call);
		return;
	}
	if (!call->secured[SIDE_INITIATOR] || call->left) {
		end_call(call, true);
		return;
	}
	secret = code == LAN_AUTH_OK ? named_secret(call) : NULL;
	if (code == LAN_AUTH_OK && !secret)
		code = LAN_AUTH_UNKNOWN_KEY; /* deleted in the meantime */
	lan_auth_decide(auth, code, secret ? secret->key : NULL, secret ? SECRET_TEXT : 0);
	call->state = REPLYING;
	step(call);
}

static void step_replying(struct call *call, enum handshake_need need)
{
	if (need == HANDSHAKE_DONE)
		begin_relay(call);
	else if (need == HANDSHAKE_FAILED)
		end_call(call, false); /* the refusal has been sent */
	else if (need == HANDSHAKE_GONE)
		end_call(call, true);
}

/* --- RESOLVING, CONNECTING, CALLING --- */

static void leg_ready(struct watch *watch, uint32_t events);

static int begin_leg(struct call *call, int side, int fd)
{
	struct leg *leg = &call->legs[side];

	leg->watch.ready = leg_ready;
	leg->fd = fd;
	return loop_watch(call->port->gateway->loop, &leg->watch, fd, LEG_EVENTS);
}

static enum lan_auth_code code_of(int error)
{
	if (error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS)
		return LAN_AUTH_BUSY;
	return error == -ETIMEDOUT ? LAN_AUTH_TIMED_OUT : LAN_AUTH_UNREACHABLE;
}

/* Connect to the next address of the listener; error: why the last one was no good. */
static void try_next(struct call *call, int error)
{
	call->state = CONNECTING;
	while (call->target < call->target_count) {
		int fd = net_connect(&call->targets[call->target++]);

		close_leg(call, &call->legs[LISTENER], true);
		error = fd < 0 ? fd : begin_leg(call, LISTENER, fd);
		if (!error)
			return; /* writable, or broken, is an event */
	}
	lan_port_failed(call->port, "cannot connect to the listener", strerror(-error));
	reply(call, code_of(error));
}

void call_resolved(struct call *call, const union address *addresses, size_t count, const char *why)
{
	if (call->state != RESOLVING)
		return;
	if (count == 0) {
		lan_port_failed(call->port, "cannot resolve the listener's name", why);
		reply(call, LAN_AUTH_UNREACHABLE);
		return;
	}
	memcpy(call->targets, addresses, count * sizeof(*addresses));
	call->target_count = count;
	try_next(call, -EHOSTUNREACH);
}

static void resolve_listener(struct call *call)
{
	const struct tunnel *tunnel = call->port->tunnel;

	call->state = RESOLVING;
	if (address_parse(tunnel->listener.host, tunnel->listener.port, call->targets) == 0) {
		call->target_count = 1;
		try_next(call, -EHOSTUNREACH);
	} else if (lan_port_resolve(call->port) < 0) {
		reply(call, LAN_AUTH_BUSY);
	}
}

static void call_listener(struct call *call)
{
	struct gateway *gateway = call->port->gateway;
	int64_t delay = gateway->options->listener_delay;

	loop_arm(gateway->loop, &call->limit, call->accepted + HANDSHAKE_LIMIT - LISTENER_SPARE);
	call->state = TRAVELLING;
	if (delay)
		loop_arm(gateway->loop, &call->delay, loop_now(gateway->loop) + delay);
	else
		resolve_listener(call);
}

/* The connection to the listener is up: prove ourselves, where it has a secret. */
static void greet_listener(struct call *call)
{
	const struct secret *secret =
		tunnel_newest_secret(call->port->tunnel, access_point(call, SIDE_LISTENER));
	uint8_t key_id[UUID_BYTES];

	if (!call->secured[SIDE_LISTENER]) {
		reply(call, LAN_AUTH_OK);
		return;
	}
	if (!secret || uuid_parse(secret->id, key_id) < 0) {
		lan_port_failed(call->port, "the listener did not authenticate",
				"its LAN secret was deleted");
		reply(call, LAN_AUTH_UNREACHABLE);
		return;
	}
	handshake_call(&call->legs[LISTENER].handshake, key_id,
		       call->port->gateway->options->lan_delay > 0);
	call->state = CALLING;
	step(call);
}

static void step_connecting(struct call *call, uint32_t events)
{
	int error = net_connected(call->legs[LISTENER].fd);

	if (error)
		try_next(call, error);
	else if (events & EPOLLOUT)
		greet_listener(call);
}

/* The secret by which the listener was greeted; it may have been deleted since. */
static void give_listener_key(struct call *call)
{
	struct lan_auth *auth = &call->legs[LISTENER].handshake.auth;
	const struct secret *secret;
	uuid_text id;

	uuid_format(lan_auth_key_id(auth), id);
	secret = tunnel_secret(call->port->tunnel, access_point(call, SIDE_LISTENER), id);
	lan_auth_key(auth, secret ? secret->key : NULL, SECRET_TEXT);
	step(call);
}

static void step_calling(struct call *call, enum handshake_need need)
{
	const struct lan_auth *auth = &call->legs[LISTENER].handshake.auth;

	if (need == HANDSHAKE_KEY) {
		give_listener_key(call);
	} else if (need == HANDSHAKE_DONE) {
		reply(call, LAN_AUTH_OK);
	} else if (need == HANDSHAKE_FAILED || need == HANDSHAKE_GONE) {
		lan_port_failed(call->port, "the listener did not authenticate",
				need == HANDSHAKE_GONE ? "it closed the connection"
						       : lan_auth_why(auth));
		reply(call, LAN_AUTH_UNREACHABLE);
	}
}

/* --- ANSWERING --- */

static void give_initiator_key(struct call *call)
{
	struct gateway *gateway = call->port->gateway;
	struct lan_auth *auth = &call->legs[INITIATOR].handshake.auth;
	const struct secret *secret = named_secret(call);

	if (gateway->calls > gateway->calls_max)
		lan_auth_decide(auth, LAN_AUTH_BUSY, NULL, 0);
	else
		lan_auth_key(auth, secret ? secret->key : NULL, SECRET_TEXT);
	step(call);
}

static void step_answering(struct call *call, enum handshake_need need)
{
	const struct lan_auth *auth = &call->legs[INITIATOR].handshake.auth;

	if (need == HANDSHAKE_KEY) {
		give_initiator_key(call);
	} else if (need == HANDSHAKE_DECIDE) {
		if (call->left)
			end_call(call, true);
		else
			call_listener(call);
	} else if (need == HANDSHAKE_FAILED || need == HANDSHAKE_GONE) {
		log_end(call, "an initiator did not authenticate",
			need == HANDSHAKE_GONE ? "it closed the connection" : lan_auth_why(auth));
		end_call(call, need == HANDSHAKE_GONE);
	}
}

/* --- what moves it --- */

/* Move the handshake that is going on. */
static void step(struct call *call)
{
	struct gateway *gateway = call->port->gateway;
	struct leg *leg = &call->legs[call->state == CALLING ? LISTENER : INITIATOR];
	enum handshake_need need = handshake_step(&leg->handshake, leg->fd);

	if (need == HANDSHAKE_SOCKET)
		return;
	if (need == HANDSHAKE_RELEASE) {
		if (!call->delay.slot)
			loop_arm(gateway->loop, &call->delay,
				 loop_now(gateway->loop) + gateway->options->lan_delay);
		return;
	}
	if (call->state == ANSWERING)
		step_answering(call, need);
	else if (call->state == CALLING)
		step_calling(call, need);
	else
		step_replying(call, need);
}

static void end_delay(struct timer *timer)
{
	struct call *call = container_of(timer, struct call, delay);

	if (call->state == TRAVELLING) {
		resolve_listener(call);
		return;
	}
	handshake_release(&call->legs[call->state == CALLING ? LISTENER : INITIATOR].handshake);
	if (call->state == ANSWERING || call->state == CALLING || call->state == REPLYING)
		step(call);
}

static void reach_limit(struct timer *timer)
{
	struct call *call = container_of(timer, struct call, limit);
	struct loop *loop = call->port->gateway->loop;

	if (call->state == ANSWERING || call->state == REPLYING) {
		log_end(call, "connection dropped", "it took too long to authenticate");
		end_call(call, true);
		return;
	}
	loop_arm(loop, &call->limit, loop_now(loop) + LISTENER_SPARE);
	lan_port_failed(call->port, "the listener is silent", "it did not answer in time");
	reply(call, LAN_AUTH_TIMED_OUT);
}

/* The caller says something, or leaves, before the connection is its own. Where it authenticates, a
 * FIN means that it left; where it does not, it may have sent all that it has to say already. */
static void initiator_ready(struct call *call, uint32_t events)
{
	uint32_t leaving = EPOLLERR | EPOLLHUP | (call->secured[SIDE_INITIATOR] ? EPOLLRDHUP : 0);

	if (events & leaving)
		call->left = true;
	if (call->state == ANSWERING || call->state == REPLYING)
		step(call);
	else if (call->left)
		end_call(call, true);
}

static void listener_ready(struct call *call, uint32_t events)
{
	if (call->state == CONNECTING)
		step_connecting(call, events);
	else if (call->state == CALLING)
		step(call);
}

static void leg_ready(struct watch *watch, uint32_t events)
{
	struct leg *leg = container_of(watch, struct leg, watch);
	struct call *call = container_of(leg - leg->side, struct call, legs);

	if (call->state == RELAYING)
		relay_event(&call->relay, leg->side, events);
	else if (leg->side == INITIATOR)
		initiator_ready(call, events);
	else
		listener_ready(call, events);
}

/* Begin with the caller's handshake, or without. */
static void begin(struct call *call, int fd)
{
	struct gateway *gateway = call->port->gateway;

	if (begin_leg(call, INITIATOR, fd) < 0) {
		end_call(call, true);
	} else if (call->secured[SIDE_INITIATOR]) {
		handshake_answer(&call->legs[INITIATOR].handshake, gateway->options->lan_delay > 0);
		call->state = ANSWERING;
		step(call);
	} else if (gateway->options->as_globus == AS_GLOBUS_REQUIRED) {
		log_end(call, "a caller is dropped",
			"it does not speak Globus's own authentication");
		end_call(call, true);
	} else if (gateway->calls > gateway->calls_max) {
		end_call(call, true);
	} else {
		call_listener(call);
	}
}

void call_begin(struct lan_port *port, int fd)
{
	struct gateway *gateway = port->gateway;
	const struct options *options = gateway->options;
	struct call *call = calloc(1, sizeof(*call));

	if (!call) {
		net_reset(fd);
		return;
	}
	log_detail("tunnel %s: new connection", port->tunnel->id);
	call->port = port;
	call->next = port->calls;
	call->link = &port->calls;
	if (call->next)
		call->next->link = &call->next;
	port->calls = call;
	gateway->calls++;
	for (int side = 0; side < SIDES; side++) {
		call->secured[side] = port->tunnel->secured[side] && !options->as_globus;
		call->legs[side] = (struct leg){.side = side, .fd = -1, .watch.fd = -1};
	}
	call->limit.fire = reach_limit;
	call->delay.fire = end_delay;
	call->free_later.run = free_call;
	call->accepted = loop_now(gateway->loop);
	loop_arm(gateway->loop, &call->limit, call->accepted + HANDSHAKE_LIMIT);
	net_tune(fd);
	begin(call, fd);
}
