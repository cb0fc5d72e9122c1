/*
 * Opens of /etc/hosts by programs that look names up there themselves: they get a copy with our
 * names in it (copy.h). The filter shows us the opens of static programs, of 32-bit ones, those
 * that the shim means for us, and with --hosts all. What would not read a regular file is left to
 * the kernel, which does it with the program's own rights.
 *
 * Where all of a program's opens are seen, its loader's are too: it gets the shim, also in a root
 * where that is not.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

#include "protocol/control.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/log.h"
#include "supervisor/base/work.h"
#include "supervisor/calls/blind.h"
#include "supervisor/calls/core.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/inject.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/seen.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/copy.h"

#if defined(__aarch64__)
#define ALWAYS_LARGE 0400000 /* the kernel's O_LARGEFILE */
#else
#define ALWAYS_LARGE 0100000
#endif

static const char hosts[] = "/etc/hosts";

/* No more of it is read than there has to be if it is one of the two. */
static bool is_wanted(struct state *state, const struct call *call, uint64_t address,
		      enum copy_what *what)
{
	char start[sizeof(hosts)], path[BASE_PATH_MAX];
	size_t len = strnlen(state->keeping.shim, sizeof(path) - 1) + 1;
	if (target_read(state, call, address, start, sizeof(start)) < 0)
		return false;
	if (memcmp(start, hosts, sizeof(hosts)) == 0) {
		*what = COPY_HOSTS;
		return true;
	}
	*what = seen_compat(&call->notif.data) ? COPY_SHIM32 : COPY_SHIM;
	return len > sizeof(start) && memcmp(start, state->keeping.shim, sizeof(start)) == 0 &&
	       target_read(state, call, address, path, (uint32_t)len) == 0 &&
	       memcmp(path, state->keeping.shim, len) == 0;
}

static void refuse(struct supervisor *s, uint32_t index, enum copy_what what, int error)
{
	int pid = (int)s->state->calls[index].notif.pid;
	if (what != COPY_HOSTS) { /* it may be there */
		notify_pass(s->state, index);
		return;
	}
	log_warn("an open of /etc/hosts by process %d fails: the file could not be copied: %s", pid,
		 strerror(error));
	notify_fail(s->state, index, error);
}

static void hold(struct supervisor *s, uint32_t index, enum copy_what what, int flags)
{
	struct call *call = &s->state->calls[index];
	uint32_t copy = limit_reached(s->state, LIMIT_CALLS, s->state->held)
				? NONE
				: copy_take(s->state, call, what, flags);
	if (copy == NONE) {
		refuse(s, index, what, EAGAIN);
		return;
	}
	fault_point("open.taken");
	supervisor_hold(s, index, CALL_OPEN, &s->state->copies[copy].calls, copy);
	call->deadline = loop_now() + COPY_SECONDS * SECOND;
	loop_at(&s->loop, call->deadline, supervisor_id(s, OBJECT_CALL, index));
	fault_point("open.held");
	copy_want(s->state, copy);
	fault_point("open.wanted");
}

void open_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	bool at = seen_call(&call->notif.data) == SEEN_OPENAT;
	int flags = (int)call->args[at + 1] & ~ALWAYS_LARGE;
	enum copy_what what;
	if ((flags & ~COPY_FLAGS) == 0 && is_wanted(s->state, call, call->args[at], &what))
		hold(s, index, what, flags);
	else if (at && (int32_t)call->args[0] == QUESTION_FD)
		question_answer(s, index);
	else
		notify_pass(s->state, index);
}

/* open_injected() goes on then. */
static bool inject_by_chore(struct supervisor *s, uint32_t index, const struct copy *copy)
{
	int fd = fcntl(copy->fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && chore_inject(s->state, NONE, fd, index, copy->flags & O_CLOEXEC) == 0)
		return true;
	fd_cleanup(&fd);
	return false;
}

/* A supervisor that died may have put it into the program's table already. As inject_descriptor().
 */
static int inject(struct supervisor *s, uint32_t index, struct copy *copy)
{
	if (copy->number >= 0)
		return copy->number;
	if (copy->what == COPY_HOSTS)
		blind_tell(s, &s->state->calls[index]); /* before it knows our addresses */
	int number = inject_descriptor(s->state, index, copy->fd, copy->flags & O_CLOEXEC);
	if (number != -EINTR && number != -EBUSY)
		copy->number = number;
	fault_point("open.injected");
	return number;
}

static void answer(struct supervisor *s, uint32_t index)
{
	struct copy *copy = &s->state->copies[index];
	uint32_t call = copy->calls;
	supervisor_release(s, call, &copy->calls);
	if (copy->number >= 0) {
		log_debug("gave %s to process %d as descriptor %d",
			  copy->what == COPY_HOSTS ? hosts : "the preload library", copy->tid,
			  copy->number);
		notify_return(s->state, call, copy->number);
	} else if (copy->result == COPY_PASS) {
		notify_pass(s->state, call);
	} else if (copy->result < 0) {
		refuse(s, call, copy->what, -copy->result);
	} else {
		notify_fail(s->state, call, -copy->number);
	}
	fault_point("open.answered");
	copy_leave(s->state, index);
}

enum made {
	MADE,   /* it is with its program, or a chore is about it */
	WAITED, /* the same, and others have had to wait */
	LEFT,   /* there is no place for a chore */
};

static enum made made(struct supervisor *s, uint32_t index)
{
	struct copy *copy = &s->state->copies[index];
	fault_point("open.made");
	int number = copy->result != 0 ? 0 : inject(s, copy->calls, copy);
	if (number != -EINTR && number != -EBUSY) {
		answer(s, index);
		return MADE;
	}
	bool placed = inject_by_chore(s, copy->calls, copy);
	return number == -EINTR ? WAITED : placed ? MADE : LEFT;
}

/* Whatever we are at, this is that program's. */
static enum made made_for(struct supervisor *s, uint32_t index)
{
	struct work_item before = work_on_call(s->state, s->state->copies[index].calls);
	enum made done = made(s, index);
	work_go_on(s->state, before);
	return done;
}

/* Nobody has us wait twice in a turn. What is left is tried again when a chore has ended, and by
 * the sweep. */
void open_wake(struct supervisor *s)
{
	uint32_t full = NONE; /* a launch that has no place */
	for (uint32_t i = 0; i < s->state->copy_top; i++) {
		const struct copy *copy = &s->state->copies[i];
		if (!copy->wanted || copy->stage != COPY_DONE || copy->calls == NONE ||
		    copy->program == full || chore_injects_for(s->state, copy->calls))
			continue;
		enum made done = made_for(s, i);
		if (done == LEFT)
			full = copy->program;
		if (done == WAITED) {
			eventfd_write(s->state->supervisor_wakes, 1);
			return;
		}
	}
}

void open_deadline(struct supervisor *s, uint32_t index)
{
	uint32_t copy = s->state->calls[index].owner;
	supervisor_release(s, index, &s->state->copies[copy].calls);
	refuse(s, index, s->state->copies[copy].what, ETIMEDOUT);
	copy_leave(s->state, copy);
}

void open_sweep(struct supervisor *s)
{
	for (uint32_t i = 0; i < s->state->copy_top; i++)
		if (s->state->copies[i].wanted && s->state->copies[i].calls == NONE)
			copy_leave(s->state, i);
}

void open_recover(struct supervisor *s)
{
	open_sweep(s);
	open_wake(s);
	eventfd_write(s->state->keeper_wakes, 1); /* who wanted one may have died before that */
}

/* The call may be over, or have another copy by now. */
void open_injected(struct supervisor *s, const struct chore *chore)
{
	const struct call *call = &s->state->calls[chore->call];
	if (!call->slot.used || call->notif.id != chore->id || call->state != CALL_HELD ||
	    call->kind != CALL_OPEN || s->state->copies[call->owner].calls != chore->call)
		return;
	s->state->copies[call->owner].number = chore->result;
	answer(s, call->owner);
}
