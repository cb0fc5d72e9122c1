#include "supervisor/accept/owed.h"

#include <errno.h>
#include <sys/epoll.h>

#include "supervisor/accept/accept.h"
#include "supervisor/accept/listener.h"
#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/socket.h"
#include "supervisor/kernel/target.h"

#define AT_ONCE 8 /* so many are looked at in a sweep */

void owed_end(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	close_fd(&conn->pidfd);
	conn->owed_to = 0;
	conn->waits_for_search = false;
	conn->search = SEARCH_NONE;
	listener_settle(s, index);
}

/* No process has it any more, and none was given its number: it is as it was before. */
static void take_back(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	uint32_t listener = conn->listener;
	log_debug("the process that was to get descriptor %d has ended: the next accept gets its "
		  "connection",
		  conn->number);
	owed_end(s, index);
	fault_point("owed.taken-back");
	listener_queue_first(s, listener, index);
}

/* A child of the process that ended has it now, without knowing. Any other process that got it
 * would share it with that child. */
static void cut_off(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	const struct listener *listener = &s->state->listeners[conn->listener];
	log_warn("a connection to port %u was closed: the process that was to get it has ended, "
		 "and a child of that process holds the socket unknowingly",
		 (unsigned)address_port(&listener->bound));
	accept_look_again(s, conn->listener, 0); /* a bell may have rung for it */
	owed_end(s, index);
	chore_discard(steal_fd(&conn->fd));
	conn_give(s->state, index);
}

/* The thread has ended, or its process; another process may still have the socket. */
static void search(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	if (conn->pidfd >= 0)
		loop_unwatch(&s->loop, conn->pidfd);
	conn->inode = socket_inode(conn->fd);
	conn->waits_for_search = true;
	conn->search = SEARCH_WANTED;
	supervisor_search(s);
}

/* 0; -ESRCH: it has ended; another -errno: it cannot be watched, and is polled instead. */
static int watch(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	if (conn->pidfd < 0) {
		int group = target_group(s->state, conn->tid);
		int fd = group < 0 ? group : target_pidfd(group);
		if (fd < 0)
			return fd;
		conn->owed_to = group;
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
		search(s, index);
	else
		supervisor_sweep_later(s);
}

void owed_recover(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	conn->waits_for_search = false;
	conn->search = SEARCH_NONE;
	watch(s, index);
	listener_owe(s, index);
}

void owed_event(struct supervisor *s, uint32_t index)
{
	const struct conn *conn = &s->state->conns[index];
	if (conn->number >= 0 && !conn->waits_for_search) /* else a chore is about it */
		search(s, index);
}

void owed_searched(struct supervisor *s, uint32_t index)
{
	struct conn *conn = &s->state->conns[index];
	uint32_t listener = conn->listener;
	if (conn->state != CONN_INJECTED || !conn->waits_for_search)
		return;
	conn->waits_for_search = false;
	if (conn->search == SEARCH_NOBODY)
		take_back(s, index);
	else if (conn->owed_to)
		cut_off(s, index);
	else
		owed_begin(s, index); /* only the thread has ended: that is its process */
	accept_offer(s, listener);
	listener_tidy(s, listener);
}

bool owed_sweep(struct supervisor *s, uint32_t index)
{
	struct listener *listener = &s->state->listeners[index];
	for (uint32_t left = listener->owed < AT_ONCE ? listener->owed : AT_ONCE; left; left--) {
		uint32_t i = listener_next_owed(s, index);
		const struct conn *conn = &s->state->conns[i];
		/* else a chore is about it */
		if (conn->number >= 0 && !conn->waits_for_search && watch(s, i) == -ESRCH)
			search(s, i);
	}
	return listener->owed != 0;
}
