#include "supervisor/accept/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/bell.h"
#include "supervisor/accept/stranger.h"
#include "supervisor/accept/watch.h"
#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/log.h"
#include "supervisor/base/reach.h"
#include "supervisor/base/share.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"

#define UNRUNG (100 * MILLISECOND) /* that one who cannot be woken has for himself */

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

static uint32_t *bucket(struct state *state, uint64_t cookie)
{
	return &state->listener_buckets[cookie % LISTENER_BUCKETS];
}

void listener_put(struct state *state, uint32_t index)
{
	struct listener *listener = &state->listeners[index];
	uint32_t *first = bucket(state, listener->cookie);
	listener->next = *first;
	*first = index;
	state->listening++;
	listener->share = share_add(state, listener->program, listener->uid, PART_LISTENERS);
}

static bool is_full(struct state *state, uint32_t program, uint32_t uid)
{
	return limit_reached(state, LIMIT_LISTENERS, state->listening) ||
	       share_full(state, program, uid, PART_LISTENERS, LIMIT_LISTENERS_EACH);
}

static uint32_t add(struct state *state, const struct call *call, int fd,
		    const union address *bound, uint64_t cookie)
{
	uint32_t uid = socket_owner(fd);
	uint32_t index = is_full(state, call->program, uid) ? NONE : listener_take(state);
	if (index == NONE)
		return NONE;
	struct listener *listener = &state->listeners[index];
	fault_point("listener.added");
	listener->bound = listener->address = *bound;
	listener->family = socket_family(fd);
	listener->program = call->program;
	listener->reach = state->programs[call->program].reach;
	listener->uid = uid;
	listener->netns = socket_netns(fd);
	atomic_signal_fence(memory_order_seq_cst);
	listener->cookie = cookie; /* makes it whole */
	listener_put(state, index);
	return index;
}

void listener_learn(struct listener *listener, int fd)
{
	if (listener->learnt)
		return;
	listener->learnt = true;
	listener->device = socket_device(fd);
	listener->reuses = socket_reuses_port(fd);
	if (address_is_any(&listener->address))
		socket_device_address(fd, &listener->address);
	listener->steered = int_option(fd, SOL_SOCKET, SO_INCOMING_CPU) >= 0;
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

uint32_t listener_find(struct state *state, uint64_t cookie, const union address *bound)
{
	uint32_t index = *bucket(state, cookie);
	while (index != NONE && state->listeners[index].cookie != cookie)
		index = state->listeners[index].next;
	if (index == NONE)
		return NONE;
	struct listener *listener = &state->listeners[index];
	if (bound && !address_same(&listener->bound, bound)) {
		listener->bound = listener->address = *bound; /* shut down, and bound again */
		listener->learnt = false;
	}
	return index;
}

uint32_t listener_find_or_add(struct supervisor *s, const struct call *call, int fd,
			      uint64_t cookie, const union address *bound)
{
	struct state *state = s->state;
	uint32_t index = listener_find(state, cookie, bound);
	if (index == NONE && is_full(state, call->program, socket_owner(fd)))
		watch_forget_gone(s);
	if (index == NONE)
		index = add(state, call, fd, bound, cookie);
	if (index == NONE)
		return NONE;
	state->listeners[index].noted = loop_now();
	note_holder(&state->listeners[index], (int)call->notif.pid, (int)call->args[0]);
	watch_listener(s, index, fd);
	return index;
}

void listener_tidy(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, index);
	if (listener->calls != NONE)
		return;
	if (listener->fd >= 0) {
		loop_unwatch(&s->loop, listener->fd);
		if (socket_has_connection(listener->fd)) /* nobody tells of it again */
			accept_look_again(s, index, 0);
	}
	chore_cleanup(&(int){steal_fd(&listener->fd)});
	if (!listener->watched)
		supervisor_sweep_later(s);
}

void listener_drop_conn(struct supervisor *s, uint32_t index)
{
	const struct conn *conn = &s->state->conns[index];
	if (conn->linger.l_onoff && conn->fd >= 0) /* it may have been put back already */
		socket_set_linger(conn->fd, (struct linger){0});
	close_fd(&s->state->conns[index].pidfd);
	close_fd(&s->state->conns[index].fd);
	conn_give(s->state, index);
}

void listener_queue(struct supervisor *s, uint32_t listener, uint32_t index)
{
	struct list *ready = &at(s, listener)->ready;
	supervisor_sweep_later(s); /* until it is handed over, or its listening socket gone */
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

/* A guest's far ends may be its own, and fill one listener of it after another: they have together
 * what one may have, but for the first of each. */
bool listener_has_enough(struct supervisor *s, uint32_t listener)
{
	uint32_t program = at(s, listener)->program, ready = at(s, listener)->ready_count;
	bool together = ready > 0 && s->state->programs[program].guest;
	for (uint32_t i = 0; together && i < s->state->listener_pool.top; i++)
		if (i != listener && at(s, i)->slot.used && at(s, i)->program == program)
			ready += at(s, i)->ready_count;
	return limit_reached(s->state, LIMIT_READY, ready);
}

void listener_unqueue_first(struct supervisor *s, uint32_t listener)
{
	struct list *ready = &at(s, listener)->ready;
	if (listener_has_enough(s, listener))
		accept_look_again(s, listener, 0); /* there is room again */
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

/* The kernel lets two sockets listen at one address where both say so and one user has both; then
 * it gives each connection to one of them. Only of such two does either stand for the other, if the
 * same tunnels are open to both. */
bool listener_in_one_group(const struct listener *a, const struct listener *b)
{
	return a->learnt && b->learnt && a->reuses && b->reuses && a->uid == b->uid &&
	       a->family == b->family && a->netns == b->netns && a->device == b->device &&
	       address_same(&a->bound, &b->bound) && reach_same(&a->reach, &b->reach);
}

bool listener_is_steered(const struct state *state, const struct listener *listener)
{
	return listener->reuses && (listener->steered || state->programs[listener->program].steers);
}

/* Where the program decides who gets what, that stays, but for what nobody can be woken for. */
static bool is_for_others(struct supervisor *s, const struct listener *listener)
{
	if (listener->ready.first == NONE)
		return false;
	return !listener_is_steered(s->state, listener) ||
	       (listener->unrung &&
		loop_now() - s->state->conns[listener->ready.first].ready_at > UNRUNG);
}

uint32_t listener_with_ready(struct supervisor *s, uint32_t index)
{
	if (at(s, index)->ready.first != NONE)
		return index;
	for (uint32_t i = 0; at(s, index)->reuses && i < s->state->listener_pool.top; i++)
		if (at(s, i)->slot.used && is_for_others(s, at(s, i)) &&
		    listener_in_one_group(at(s, i), at(s, index)))
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

void listener_owe(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, s->state->conns[index].listener);
	listener->owed++;
	conns_append(s->state, &listener->owing, LINK_LISTENER, index);
}

void listener_settle(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, s->state->conns[index].listener);
	listener->owed--;
	conns_remove(s->state, &listener->owing, LINK_LISTENER, index);
}

uint32_t listener_next_owed(struct supervisor *s, uint32_t index)
{
	struct list *owing = &at(s, index)->owing;
	uint32_t first = owing->first;
	if (first != NONE) {
		conns_remove(s->state, owing, LINK_LISTENER, first);
		conns_append(s->state, owing, LINK_LISTENER, first);
	}
	return first;
}

static void drop_conns(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, index);
	for (uint32_t i; (i = stranger_oldest(listener->strangers)) != NONE;) {
		stranger_remove(s->state, i);
		conn_unwatch(s, &s->state->conns[i]);
		listener_drop_conn(s, i);
	}
	for (uint32_t i; (i = listener->ready.first) != NONE;) {
		listener_unqueue_first(s, index);
		listener_drop_conn(s, i);
	}
	for (uint32_t i; (i = listener->owing.first) != NONE;) {
		listener_settle(s, i);
		listener_drop_conn(s, i);
	}
	if (listener->dead != NONE)
		listener_drop_conn(s, listener->dead);
	listener->dead = NONE;
}

void listener_forget(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, index);
	uint32_t *place = bucket(s->state, listener->cookie);
	bell_stop(s, index);
	drop_conns(s, index);
	log_debug("no program listens on port %u any more",
		  (unsigned)address_port(&listener->bound));
	while (*place != index)
		place = &at(s, *place)->next;
	*place = listener->next;
	s->state->listening--;
	share_drop(s->state, listener->share, PART_LISTENERS);
	s->state->bell_ports[index][0] = s->state->bell_ports[index][1] = 0;
	listener_give(s->state, index);
}
