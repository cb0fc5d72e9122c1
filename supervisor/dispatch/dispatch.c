#include "supervisor/dispatch/dispatch.h"

#include <errno.h>
#include <linux/audit.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/accept/accept.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/mark.h"
#include "supervisor/base/share.h"
#include "supervisor/base/work.h"
#include "supervisor/calls/blind.h"
#include "supervisor/connect/connect.h"
#include "supervisor/kernel/hand.h"
#include "supervisor/kernel/i386.h"
#include "supervisor/kernel/notify.h"

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

static void dispatch_native(struct supervisor *s, uint32_t index, struct call *call)
{
	switch (call->notif.data.nr) {
	case SYS_connect:
		connect_or_question(s, index);
		return;
	case SYS_getsockopt:
		so_error_call(s, index);
		return;
	case SYS_accept:
		call->args[3] = 0; /* accept4's flags */
		accept_call(s, index);
		return;
	case SYS_accept4:
		accept_call(s, index);
		return;
	case SYS_bind:
		bind_call(s, index);
		return;
	case SYS_sendto:
		send_call(s, index, SEND_TO);
		return;
	case SYS_landlock_restrict_self:
		landlock_call(s, index);
		return;
	case SYS_listen:
		listen_call(s, index);
		return;
	case SYS_setsockopt:
		steer_call(s, index);
		return;
#ifdef SYS_open
	case SYS_open:
#endif
	case SYS_openat:
		open_call(s, index);
		return;
	default:
		notify_pass(s->state, index);
	}
}

static void dispatch_i386(struct supervisor *s, uint32_t index, const struct call *call)
{
	switch (call->notif.data.nr) {
	case I386_SOCKETCALL:
		socketcall_call(s, index);
		return;
	case I386_CONNECT:
		connect_or_question(s, index);
		return;
	case I386_GETSOCKOPT:
		so_error_call(s, index);
		return;
	case I386_ACCEPT4:
		accept_call(s, index);
		return;
	case I386_BIND:
		bind_call(s, index);
		return;
	case I386_SENDTO:
		send_call(s, index, SEND_TO);
		return;
	case I386_LANDLOCK_RESTRICT_SELF:
		landlock_call(s, index);
		return;
	case I386_LISTEN:
		listen_call(s, index);
		return;
	case I386_OPEN:
	case I386_OPENAT:
		open_call(s, index);
		return;
	default:
		notify_pass(s->state, index);
	}
}

/* As of any program that cannot be inspected. */
static bool may_mean_tunnel(struct supervisor *s, const struct call *call)
{
	const struct program *program = &s->state->programs[call->program];
	if (call->notif.data.nr != SYS_connect && call->notif.data.nr != SYS_sendto)
		return true;
	uint64_t len = call->args[call->notif.data.nr == SYS_connect ? 2 : 5];
	/* its names are not answered: it may have the real addresses of mapped ones */
	if (s->state->mapped_names && !program->allow_direct)
		return blind_may_be_internet(len);
	return blind_may_mean_tunnel(s, call, len, -EPERM);
}

static void dispatch_marked(struct supervisor *s, uint32_t index, const struct call *call)
{
	int nr = call->notif.data.nr;
	bool i386 = call->notif.data.arch == AUDIT_ARCH_I386;
	bool pass =
		i386 ? nr == I386_BIND || nr == I386_LISTEN || nr == I386_OPEN || nr == I386_OPENAT
		     : nr == SYS_bind || nr == SYS_listen || nr == SYS_setsockopt ||
				nr == SYS_openat;
#ifdef SYS_open
	pass |= !i386 && nr == SYS_open;
#endif
	if (nr == SYS_landlock_restrict_self)
		landlock_call(s, index);
	else if (pass || (!i386 && !may_mean_tunnel(s, call)))
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
	else if (call->notif.data.arch == AUDIT_ARCH_I386)
		dispatch_i386(s, index, call);
	else
		dispatch_native(s, index, call);
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
