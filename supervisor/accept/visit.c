/* Listening sockets are visited between calls, in the programs that have them: new connections are
 * taken in, so that they need not wait for the next accept(). That happens when one arrives
 * (watch.h), or at intervals where arrivals are not reported. */

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/bell.h"
#include "supervisor/accept/incoming.h"
#include "supervisor/accept/listener.h"
#include "supervisor/accept/owed.h"
#include "supervisor/accept/watch.h"
#include "supervisor/base/fd.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/socket.h"

#define LOST      (10 * SECOND)       /* a listener that nobody known has any more … */
#define LOST_IDLE SECOND              /* … and that has nothing for them */
#define AGAIN     (100 * MILLISECOND) /* until what could not be taken is tried again */
#define AT_A_TURN 16                  /* connections of one listener, before others' turn */

static struct listener *at(struct supervisor *s, uint32_t index)
{
	return &s->state->listeners[index];
}

/* No known process has it; another one may have it, and call accept(). */
static void lost(struct supervisor *s, uint32_t index, bool certain)
{
	struct listener *listener = at(s, index);
	bool idle = !listener->ready_count && !listener->incoming;
	if (!listener->lost)
		listener->lost = loop_now();
	if (listener->owed)
		return; /* until it has been told, or its process has ended */
	if (certain || loop_now() - listener->lost > (idle ? LOST_IDLE : LOST))
		listener_forget(s, index);
}

void accept_gone(struct supervisor *s, uint32_t index)
{
	if (at(s, index)->fd < 0 && !at(s, index)->owed)
		listener_forget(s, index);
}

/* How many bells may be out there: its own, and those of its group, which reach any of it. */
static uint32_t bells(struct supervisor *s, uint32_t index)
{
	uint32_t out = 0;
	for (uint32_t i = 0; at(s, index)->reuses && i < s->state->listener_pool.top; i++)
		out += at(s, i)->slot.used && at(s, i)->bell >= 0 && bell_is_wanted(s, at(s, i)) &&
		       listener_in_one_group(at(s, i), at(s, index));
	return out;
}

/* Is our bell the only connection in the queue? Its arrival is reported like any other's, and the
 * program has not seen it yet. */
static bool only_rings(struct supervisor *s, const struct listener *listener, int fd)
{
	return listener->bell >= 0 && bell_is_wanted(s, listener) && !listener->reuses &&
	       socket_queued(fd) == 1 && socket_tcp_state(listener->bell) == TCP_ESTABLISHED;
}

/* In a group any of what waits may be a bell: it is left to the program for a while. */
static bool is_patient(struct supervisor *s, uint32_t index, int fd)
{
	struct listener *listener = at(s, index);
	uint64_t now = loop_now(), until = listener->patient_until;
	uint32_t out = listener->watched ? bells(s, index) : 0;
	if (out == 0 || socket_queued(fd) > out || (until && until <= now)) {
		listener->patient_until = 0;
		return false;
	}
	if (!until) {
		listener->patient_until = now + AGAIN;
		accept_look_again(s, index, AGAIN);
	}
	return true;
}

static void take_in(struct supervisor *s, uint32_t index, int fd)
{
	struct listener *listener = at(s, index);
	int left = 0;
	listener_learn(listener, fd);
	watch_listener(s, index, fd);
	if (!only_rings(s, listener, fd) && !is_patient(s, index, fd))
		left = incoming_drain(s, index, fd, AT_A_TURN);
	if (left > 0)
		accept_look_again(s, index, 0);
	else if (left < 0 && left != -EINVAL)
		accept_look_again(s, index, AGAIN);
	accept_offer(s, index);
}

/* It has been shut down, which its program may do as often as it likes: that leaves nothing. */
static void stopped(struct supervisor *s, uint32_t index, int fd)
{
	watch_end(s, index, fd);
	listener_forget(s, index);
}

static void visit(struct supervisor *s, uint32_t index, bool certain)
{
	struct listener *listener = at(s, index);
	cleanup_socket int fd = listener_borrow(s, listener);
	listener->missed = fd < 0;
	if (fd < 0) {
		if (!listener->watched)
			lost(s, index, certain);
		else
			supervisor_sweep_later(s);
		return;
	}
	listener->lost = 0;
	if (socket_is_listening(fd))
		take_in(s, index, fd);
	else if (!listener->owed && loop_now() - listener->noted > LISTENS)
		stopped(s, index, fd);
}

void accept_look_again(struct supervisor *s, uint32_t index, uint64_t after)
{
	loop_at(&s->loop, loop_now() + after, supervisor_id(s, OBJECT_LISTENER, index));
}

void accept_arrived(struct supervisor *s, uint32_t index)
{
	if (at(s, index)->fd < 0) /* else the loop tells of it, too */
		visit(s, index, false);
}

/* The bell was not taken: the listening socket is gone, or it has reached another of its REUSEPORT
 * group that is not ours. */
void accept_bell_event(struct supervisor *s, uint32_t index)
{
	bell_stop(s, index);
	if (at(s, index)->calls != NONE)
		return;
	if (at(s, index)->watched)
		watch_forget_gone(s);
	else
		visit(s, index, true);
	if (at(s, index)->slot.used)
		supervisor_sweep_later(s);
}

bool accept_sweep(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, index);
	if (!listener->slot.used)
		return false;
	listener->stalled = false;
	bool owes = owed_sweep(s, index);
	listener_tidy(s, index);
	if (listener->fd >= 0) {
		loop_watch(&s->loop, listener->fd, EPOLLIN, false,
			   supervisor_id(s, OBJECT_LISTENER, index));
		accept_offer(s, index);
		return true;
	}
	if (!listener->watched || listener->missed)
		visit(s, index, false);
	else
		accept_offer(s, index);
	return owes || (listener->slot.used && (!listener->watched || listener->missed));
}
