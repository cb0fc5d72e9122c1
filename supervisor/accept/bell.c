#include "supervisor/accept/bell.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/listener.h"
#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/socket.h"

#define STEERED 8 /* bells, until one gets where it is wanted */

/* The address by which a listener can be reached from this host. */
static union address callable(const struct listener *listener)
{
	union address to = listener->address;
	if (!address_is_any(&to))
		return to;
	if (to.sa.sa_family == AF_INET)
		to.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		to.in6.sin6_addr = in6addr_loopback;
	return to;
}

/* *from and *port get its own address before it connects, so that a supervisor that takes over in
 * between recognises the connection as a bell. It ends with a RST: after a FIN its port would stay
 * in use for another minute, and the bells of a busy server would use up the ports of the host. */
static int call(const union address *to, union address *from, uint16_t *port)
{
	static const struct linger at_once = {.l_onoff = 1};
	union address own = *to;
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	address_set_port(&own, 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	fault_point("bell.calling");
	int err = bind(fd, &own.sa, address_len(&own)) < 0 ? -errno : socket_name(fd, from, NULL);
	if (err == 0) {
		*port = address_port(from);
		if (connect(fd, &to->sa, address_len(to)) < 0 && errno != EINPROGRESS)
			err = -errno;
	}
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

/* Connect to it, from an address that is known as a bell's from now on: a descriptor or -errno. */
static int call_as_bell(struct supervisor *s, uint32_t index, union address *to)
{
	struct listener *listener = &s->state->listeners[index];
	uint16_t *ports = s->state->bell_ports[index];
	listener->bell_before = listener->bell_address;
	ports[1] = ports[0];
	int fd = call(to, &listener->bell_address, &ports[0]);
	if (fd >= 0 || to->sa.sa_family != AF_INET6 || !address_is_any(&listener->address))
		return fd;
	/* a host without IPv6 addresses */
	*to = (union address){.in = {.sin_family = AF_INET, .sin_port = to->in6.sin6_port}};
	to->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return call(to, &listener->bell_address, &ports[0]);
}

/* The program's own rule may send a bell to another socket of its group: some more bells are tried,
 * from other ports. */
static int call_steered(struct supervisor *s, uint32_t index, union address *to)
{
	struct listener *listener = &s->state->listeners[index];
	cleanup_socket int own = listener_borrow(s, listener);
	int fd = -ECONNREFUSED;
	for (int i = 0; i < STEERED; i++) {
		uint32_t before = own < 0 ? 0 : socket_queued(own);
		fd = call_as_bell(s, index, to);
		if (fd < 0 || own < 0)
			return fd;
		listener->unrung = socket_queued(own) <= before;
		if (!listener->unrung)
			return fd;
		if (i + 1 < STEERED)
			close(fd);
	}
	return fd;
}

bool bell_is_wanted(const struct supervisor *s, const struct listener *listener)
{
	const struct conn *conns = s->state->conns;
	uint32_t owed = listener->owing.first;
	while (owed != NONE && conns[owed].number < 0) /* a chore is about it */
		owed = conns[owed].links[LINK_LISTENER].next;
	return listener->ready.first != NONE || owed != NONE;
}

void bell_ring(struct supervisor *s, uint32_t index)
{
	struct listener *listener = &s->state->listeners[index];
	if (listener->bell >= 0 || !bell_is_wanted(s, listener) || listener->calls != NONE)
		return;
	union address to = callable(listener);
	int fd = listener_is_steered(s->state, listener) ? call_steered(s, index, &to)
							 : call_as_bell(s, index, &to);
	if (fd < 0) {
		log_warn("cannot wake the program that listens on port %u: %s",
			 (unsigned)address_port(&to), strerror(-fd));
		return;
	}
	if (listener->defers && send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("cannot send a byte for TCP_DEFER_ACCEPT: %s", strerror(errno));
	fault_point("bell.called");
	listener->bell = fd;
	fault_point("bell.recorded");
	loop_watch(&s->loop, fd, EPOLLRDHUP, false, supervisor_id(s, OBJECT_BELL, index));
}

void bell_stop(struct supervisor *s, uint32_t index)
{
	close_fd(&s->state->listeners[index].bell);
}

static bool is_from(const union address *bell, const union address *peer)
{
	return bell->sa.sa_family && address_same(peer, bell);
}

bool bell_take(struct supervisor *s, const union address *peer)
{
	uint16_t port = address_port(peer);
	for (uint32_t i = 0; i < s->state->listener_pool.top; i++) {
		if (s->state->bell_ports[i][0] != port && s->state->bell_ports[i][1] != port)
			continue;
		const struct listener *listener = &s->state->listeners[i];
		/* also one whose end here is closed by now */
		if (listener->slot.used && (is_from(&listener->bell_address, peer) ||
					    is_from(&listener->bell_before, peer))) {
			fault_point("bell.taken");
			bell_stop(s, i);
			fault_point("bell.stopped");
			accept_look_again(s, i, 0); /* it may have been another's, who has not
						       seen it */
			return true;
		}
	}
	return false;
}
