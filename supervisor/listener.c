#include "supervisor/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "supervisor/address.h"
#include "supervisor/bell.h"
#include "supervisor/chore.h"
#include "supervisor/conn.h"
#include "supervisor/fault.h"
#include "supervisor/fd.h"
#include "supervisor/limit.h"
#include "supervisor/log.h"
#include "supervisor/socket.h"
#include "supervisor/target.h"

static struct listener *at(struct supervisor *s, uint32_t index)
{
	return &s->state->listeners[index];
}

static int int_option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return getsockopt(fd, level, name, &value, &len) == 0 ? value : 0;
}

static uint32_t add(struct state *state, int fd, const union address *address, uint64_t cookie)
{
	if (limit_reached(state, LIMIT_LISTENERS, limit_now(state, LIMIT_LISTENERS)))
		return NONE;
	uint32_t index = listener_take(state);
	if (index == NONE)
		return NONE;
	struct listener *listener = &state->listeners[index];
	fault_point("listener.added");
	listener->cookie = cookie;
	listener->address = *address;
	listener->family = socket_family(fd);
	listener->uid = socket_owner(fd);
	return index;
}

void listener_learn(struct listener *listener, int fd)
{
	if (listener->learnt)
		return;
	listener->learnt = true;
	if (address_is_any(&listener->address))
		socket_device_address(fd, &listener->address);
	listener->defers = int_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) != 0;
	listener->odd = int_option(fd, SOL_SOCKET, SO_RCVLOWAT) > 1 ||
			int_option(fd, IPPROTO_TCP, TCP_CORK) != 0;
}

/* Remember who has it, to visit it there. */
static void note_holder(struct listener *listener, int tid, int number)
{
	listener->lost = 0;
	for (uint32_t i = 0; i < HOLDERS; i++)
		if (listener->tid[i] == tid && listener->number[i] == number) {
			listener->holder = i;
			return;
		}
	listener->holder = (listener->holder + 1) % HOLDERS;
	listener->tid[listener->holder] = tid;
	listener->number[listener->holder] = number;
}

uint32_t listener_find(struct state *state, uint64_t cookie, const union address *address)
{
	uint32_t index = 0;
	while (index < state->listener_pool.top &&
	       !(state->listeners[index].slot.used && state->listeners[index].cookie == cookie))
		index++;
	if (index == state->listener_pool.top)
		return NONE;
	struct listener *listener = &state->listeners[index];
	if (address_port(&listener->address) != address_port(address)) {
		listener->address = *address; /* shut down, and bound again */
		listener->learnt = false;
	}
	return index;
}

uint32_t listener_find_or_add(struct state *state, const struct call *call, int fd, uint64_t cookie,
			      const union address *address)
{
	uint32_t index = listener_find(state, cookie, address);
	if (index == NONE)
		index = add(state, fd, address, cookie);
	if (index != NONE)
		note_holder(&state->listeners[index], (int)call->notif.pid, (int)call->args[0]);
	return index;
}

void listener_tidy(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, index);
	if (listener->calls != NONE)
		return;
	if (listener->fd >= 0)
		loop_unwatch(&s->loop, listener->fd);
	chore_cleanup(&(int){steal_fd(&listener->fd)});
	supervisor_sweep_later(s);
}

void listener_drop_conn(struct supervisor *s, uint32_t index)
{
	const struct conn *conn = &s->state->conns[index];
	if (conn->linger.l_onoff && conn->fd >= 0) /* it may have been put back already */
		socket_set_linger(conn->fd, (struct linger){0});
	close_fd(&s->state->conns[index].fd);
	conn_give(s->state, index);
}

void listener_queue(struct supervisor *s, uint32_t listener, uint32_t index)
{
	struct list *ready = &at(s, listener)->ready;
	s->state->conns[index].ready_at = loop_now();
	s->state->conns[index].next = NONE;
	s->state->conns[index].state = CONN_READY;
	fault_point("accept.ready");
	at(s, listener)->ready_count++;
	if (ready->first == NONE)
		ready->first = index;
	else
		s->state->conns[ready->last].next = index;
	ready->last = index;
}

void listener_queue_first(struct supervisor *s, uint32_t listener, uint32_t index)
{
	struct list *ready = &at(s, listener)->ready;
	s->state->conns[index].next = ready->first;
	ready->first = index;
	if (ready->last == NONE)
		ready->last = index;
	at(s, listener)->ready_count++;
	s->state->conns[index].state = CONN_READY;
}

void listener_unqueue_first(struct supervisor *s, uint32_t listener)
{
	struct list *ready = &at(s, listener)->ready;
	ready->first = s->state->conns[ready->first].next;
	if (ready->first == NONE)
		ready->last = NONE;
	at(s, listener)->ready_count--;
}

void listener_requeue(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	struct list *ready = &at(s, conn->listener)->ready;
	uint32_t *place = &ready->first;
	while (*place != NONE && s->state->conns[*place].ready_at <= conn->ready_at)
		place = &s->state->conns[*place].next;
	conn->next = *place;
	*place = index;
	at(s, conn->listener)->ready_count++;
	for (ready->last = ready->first; s->state->conns[ready->last].next != NONE;)
		ready->last = s->state->conns[ready->last].next;
}

uint32_t listener_with_ready(struct supervisor *s, uint32_t index)
{
	if (at(s, index)->ready.first != NONE)
		return index;
	for (uint32_t i = 0; i < s->state->listener_pool.top; i++)
		if (at(s, i)->slot.used && at(s, i)->ready.first != NONE &&
		    address_same(&at(s, i)->address, &at(s, index)->address))
			return i;
	return NONE;
}

int listener_borrow(struct supervisor *s, const struct listener *listener)
{
	for (uint32_t i = 0; i < HOLDERS; i++) {
		uint32_t holder = (listener->holder + HOLDERS - i) % HOLDERS;
		if (listener->tid[holder] == 0)
			continue;
		cleanup_socket int fd =
			target_descriptor_of(s->state, listener->program, listener->tid[holder],
					     listener->number[holder]);
		if (fd >= 0 && socket_cookie(fd) == listener->cookie)
			return steal_fd(&fd);
	}
	return -1;
}

void listener_forget(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, index);
	bell_stop(s, index);
	for (uint32_t i = 0; i < s->state->conn_pool.top; i++) {
		struct conn *conn = &s->state->conns[i];
		if (!conn->slot.used || conn->state < CONN_INCOMING || conn->listener != index)
			continue;
		conn_unwatch(s, conn);
		listener_drop_conn(s, i);
	}
	log_debug("nobody listens on port %u any more", (unsigned)address_port(&listener->address));
	listener_give(s->state, index);
}
