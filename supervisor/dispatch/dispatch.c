#include "supervisor/dispatch/dispatch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "protocol/older.h"
#include "supervisor/accept/accept.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/mark.h"
#include "supervisor/base/share.h"
#include "supervisor/base/work.h"
#include "supervisor/calls/blind.h"
#include "supervisor/connect/connect.h"
#include "supervisor/kernel/hand.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/seen.h"

/* A thread of a launch in which somebody is marked (mark.h): is it one of those? By tid; one
 * forgets another. */
#define KNOWN_THREADS 256
static struct known_thread {
	int tid;
	uint32_t program;
	bool marked;
	uint64_t until; /* it is asked again then */
} known_threads[KNOWN_THREADS];

/* A program of somebody who has held us up: neither its memory nor its descriptors are touched.
 * The owner of a thread is asked for only once in a while, or the asking would keep us from the
 * others. */
static bool is_marked(struct supervisor *s, const struct call *call)
{
	uint64_t now = loop_now();
	int tid = (int)call->notif.pid;
	struct known_thread *known = &known_threads[(unsigned)tid % KNOWN_THREADS];
	if (!mark_any(s->state, call->program, now))
		return false;
	if (known->tid != tid || known->program != call->program || known->until < now) {
		int uid = hand_proc(s->state, HAND_UID, tid, -1);
		*known = (struct known_thread){
			.tid = tid,
			.program = call->program,
			.marked = mark_holds(s->state, call->program,
					     uid < 0 ? UNKNOWN_UID : (uint32_t)uid, now)};
		/* who becomes another user is soon known as such */
		known->until = now + (known->marked ? SECOND : SECOND / 20);
	}
	return known->marked;
}

/* landlock_restrict_self(): from now on a part of this launch may be kept from ports that we could
 * connect to; which part is not to be known. */
static void landlock_call(struct supervisor *s, uint32_t index)
{
	const struct call *call = &s->state->calls[index];
	if ((int32_t)call->args[0] >= 0) /* without rules it restricts nothing */
		s->state->programs[call->program].confined = true;
	notify_pass(s->state, index);
}

void connect_or_question(struct supervisor *s, uint32_t index)
{
	if ((int32_t)s->state->calls[index].args[0] == QUESTION_FD)
		question_call(s, index);
	else
		connect_call(s, index);
}

/* A launch's filter is ours, or a later version's of ours. A guest's may send calls of x32, say,
 * which would connect unseen. */
static void unknown_call(struct supervisor *s, uint32_t index, const struct call *call)
{
	if (s->state->programs[call->program].guest)
		notify_fail(s->state, index, ENOSYS);
	else
		notify_pass(s->state, index);
}

static void dispatch(struct supervisor *s, uint32_t index, struct call *call)
{
	switch (seen_call(&call->notif.data)) {
	case SEEN_CONNECT:
		connect_or_question(s, index);
		return;
	case SEEN_GETSOCKOPT:
		so_error_call(s, index);
		return;
	case SEEN_ACCEPT:
		call->args[3] = 0; /* accept4's flags */
		accept_call(s, index);
		return;
	case SEEN_ACCEPT4:
		accept_call(s, index);
		return;
	case SEEN_BIND:
		bind_call(s, index);
		return;
	case SEEN_SENDTO:
		send_call(s, index, SEND_TO);
		return;
	case SEEN_LANDLOCK_RESTRICT_SELF:
		landlock_call(s, index);
		return;
	case SEEN_LISTEN:
		listen_call(s, index);
		return;
	case SEEN_SETSOCKOPT:
		steer_call(s, index);
		return;
	case SEEN_OPEN:
	case SEEN_OPENAT:
		open_call(s, index);
		return;
	case SEEN_SOCKETCALL:
		socketcall_call(s, index);
		return;
	case SEEN_NOTHING:
		unknown_call(s, index, call);
	}
}

/* As of any program that cannot be inspected. len: of the address. */
static bool may_mean_tunnel(struct supervisor *s, const struct call *call, uint64_t len)
{
	const struct program *program = &s->state->programs[call->program];
	/* its names are not answered: it may have the real addresses of mapped ones */
	if (s->state->mapped_names && !program->allow_direct)
		return blind_may_be_internet(len);
	return blind_may_mean_tunnel(s, call, len, -EPERM);
}

static bool is_left_alone(struct supervisor *s, const struct call *call)
{
	switch (seen_call(&call->notif.data)) {
	case SEEN_BIND:
	case SEEN_LISTEN:
	case SEEN_SETSOCKOPT:
	case SEEN_OPEN:
	case SEEN_OPENAT:
		return true;
	case SEEN_CONNECT:
		return !may_mean_tunnel(s, call, call->args[2]);
	case SEEN_SENDTO:
		return !may_mean_tunnel(s, call, call->args[5]);
	default:
		return false;
	}
}

static void dispatch_marked(struct supervisor *s, uint32_t index, const struct call *call)
{
	if (seen_call(&call->notif.data) == SEEN_LANDLOCK_RESTRICT_SELF)
		landlock_call(s, index);
	else if (is_left_alone(s, call))
		notify_pass(s->state, index);
	else
		supervisor_refuse(s, index, EACCES);
}

void supervisor_dispatch(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	for (size_t i = 0; i < 6; i++)
		call->args[i] = call->notif.data.args[i];
	work_on_call(s->state, index);
	if (s->state->programs[call->program].marked_until && is_marked(s, call))
		dispatch_marked(s, index, call);
	else
		dispatch(s, index, call);
}

/* One a turn: epoll_wait() tells whether there is another as well as poll() would, and what else
 * is. */
void supervisor_receive(struct supervisor *s, uint32_t program)
{
	uint32_t index;
	int err = notify_receive(s->state, program, &index);
	if (err == 0)
		supervisor_dispatch(s, index);
	else if (err == -ENOSPC)
		log_warn("too many calls are waiting: further ones wait in the kernel");
}

void supervisor_watch_program(struct supervisor *s, uint32_t program)
{
	notify_tune(s->state->programs[program].notify_fd);
	loop_watch(&s->loop, s->state->programs[program].notify_fd, EPOLLIN, false,
		   supervisor_id(s, OBJECT_NOTIFY, program));
}

/* No process with its filter is left. */
void supervisor_program_ended(struct supervisor *s, uint32_t index)
{
	if (s->state->control_fd < 0)
		_exit(0);
	supervisor_sweep(s); /* its calls are gone */
	loop_unwatch(&s->loop, s->state->programs[index].notify_fd);
	close_fd(&s->state->programs[index].notify_fd);
	share_end(s->state, index);
	program_give(s->state, index);
	eventfd_write(s->state->keeper_wakes, 1);
}
