/* Listening sockets are visited between calls, where the programs have them: what has come is taken
 * in, so that it need not wait for the next accept(). */

#include <errno.h>
#include <sys/epoll.h>

#include "supervisor/bell.h"
#include "supervisor/chore.h"
#include "supervisor/fd.h"
#include "supervisor/incoming.h"
#include "supervisor/listener.h"
#include "supervisor/socket.h"
#include "supervisor/target.h"

#define LOST      (10 * SECOND)       /* a listener that nobody known has any more … */
#define LOST_IDLE SECOND              /* … and that has nothing for them */
#define LISTENS   (200 * MILLISECOND) /* from listen() until it is seen to: it has failed then */
#define OWED      8                   /* of those owed, so many are looked at in a sweep */

static struct listener *at(struct supervisor *s, uint32_t index)
{
	return &s->state->listeners[index];
}

/* Nobody known has it: another process may, and call accept(). */
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

static void visit(struct supervisor *s, uint32_t index, bool certain)
{
	struct listener *listener = at(s, index);
	cleanup_socket int fd = listener_borrow(s, listener);
	if (fd < 0) {
		lost(s, index, certain);
		return;
	}
	listener->lost = 0;
	if (socket_is_listening(fd)) {
		listener_learn(listener, fd);
		incoming_drain(s, index, fd, AT_A_TIME);
		accept_offer(s, index);
	} else if (!listener->owed && loop_now() - listener->noted > LISTENS) {
		listener_forget(s, index);
	}
}

/* The bell was not taken: the listening socket is gone, or it has reached another of its REUSEPORT
 * group that is not ours. */
void accept_bell_event(struct supervisor *s, uint32_t index)
{
	bell_stop(s, index);
	if (at(s, index)->calls == NONE)
		visit(s, index, true);
}

/* What is owed to the dead has died with them, as what they had accepted would have. */
static void sweep_owed(struct supervisor *s, uint32_t index)
{
	struct listener *listener = at(s, index);
	for (uint32_t left = listener->owed < OWED ? listener->owed : OWED; left; left--) {
		uint32_t conn = listener_next_owed(s, index);
		if (s->state->conns[conn].number < 0 || /* a chore is about it */
		    target_group(s->state, s->state->conns[conn].group) != -ESRCH)
			continue;
		listener_settle(s, conn);
		listener_drop_conn(s, conn);
	}
}

bool accept_sweep(struct supervisor *s, uint32_t index)
{
	if (!at(s, index)->slot.used)
		return false;
	at(s, index)->stalled = false;
	sweep_owed(s, index);
	listener_tidy(s, index);
	if (at(s, index)->fd < 0) {
		visit(s, index, false);
		return true;
	}
	loop_watch(&s->loop, at(s, index)->fd, EPOLLIN, false,
		   supervisor_id(s, OBJECT_LISTENER, index));
	accept_offer(s, index);
	return true;
}
