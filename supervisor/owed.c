#include "supervisor/owed.h"

#include <errno.h>
#include <sys/epoll.h>

#include "supervisor/fault.h"
#include "supervisor/fd.h"
#include "supervisor/listener.h"
#include "supervisor/log.h"
#include "supervisor/target.h"

#define AT_ONCE 8 /* so many are looked at in a sweep */

void owed_end(struct supervisor *s, uint32_t index)
{
	close_fd(&s->state->conns[index].pidfd);
	listener_settle(s, index);
}

/* The process has let go of it, and heard nothing of it: it is as it was before. */
static void take_back(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	uint32_t listener = conn->listener;
	log_debug("the process that was owed descriptor %d has ended: its connection goes on to "
		  "whoever accepts next",
		  conn->number);
	owed_end(s, index);
	fault_point("owed.taken-back");
	listener_queue_first(s, listener, index);
}

/* 0; -ESRCH: it has ended; or else why it cannot be: then it is looked at by time. */
static int watch(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	if (conn->pidfd < 0) {
		int group = target_group(s->state, conn->tid);
		int fd = group < 0 ? group : target_pidfd(group);
		if (fd < 0)
			return fd;
		conn->pidfd = fd;
	}
	return loop_watch(&s->loop, conn->pidfd, EPOLLIN, false,
			  supervisor_id(s, OBJECT_CONN, index));
}

void owed_begin(struct supervisor *s, uint32_t index)
{
	int err = watch(s, index);
	fault_point("owed.watched");
	if (err == -ESRCH)
		take_back(s, index);
	else
		supervisor_sweep_later(s);
}

void owed_recover(struct supervisor *s, uint32_t index)
{
	watch(s, index);
	listener_owe(s, index);
}

void owed_event(struct supervisor *s, uint32_t index)
{
	uint32_t listener = s->state->conns[index].listener;
	if (s->state->conns[index].number < 0)
		return; /* a chore is about it */
	take_back(s, index);
	accept_offer(s, listener);
	listener_tidy(s, listener);
}

bool owed_sweep(struct supervisor *s, uint32_t index)
{
	struct listener *listener = &s->state->listeners[index];
	for (uint32_t left = listener->owed < AT_ONCE ? listener->owed : AT_ONCE; left; left--) {
		uint32_t i = listener_next_owed(s, index);
		/* else a chore is about it */
		if (s->state->conns[i].number >= 0 && watch(s, i) == -ESRCH)
			take_back(s, i);
	}
	return listener->owed != 0;
}
