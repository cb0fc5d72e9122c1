#include "supervisor/accept/unseen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "supervisor/accept/listener.h"
#include "supervisor/base/log.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/diag.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/tunnel.h"

#define GENERATIONS 64 /* between a process and an ancestor, at most */

static bool is_marked(const struct program *program, int group)
{
	for (uint32_t i = 0; i < program->marked_count && i < MARKED; i++)
		if (program->marked[i] == group)
			return true;
	return false;
}

static void add(struct program *program, int group)
{
	if (is_marked(program, group))
		return;
	if (program->marked_count < MARKED)
		program->marked[program->marked_count] = group;
	if (program->marked_count <= MARKED) /* one more: not all are known */
		program->marked_count++;
}

void unseen_mark(struct supervisor *s, const struct call *call)
{
	struct program *program = &s->state->programs[call->program];
	int group = target_group(s->state, (int)call->notif.pid);
	if (group > 0)
		add(program, group);
	else
		program->marked_count = MARKED + 1;
}

bool unseen_length(uint64_t len)
{
	int32_t size = (int32_t)len;
	return size == (int32_t)sizeof(struct sockaddr_in) ||
	       size == (int32_t)sizeof(struct sockaddr_in6) ||
	       size > (int32_t)sizeof(struct sockaddr_un);
}

/* Has it come of a marked one? */
static bool descends(struct state *state, const struct program *program, int group)
{
	for (int i = 0; i < GENERATIONS && group > 1; i++) {
		group = target_parent(state, group);
		if (group == -ETIMEDOUT || is_marked(program, group))
			return true;
	}
	return false;
}

/* Does it listen on a tunnel's port, and has no process that we may inspect this socket? */
static bool is_unaccounted(void *context, uint16_t port, uint64_t cookie)
{
	struct supervisor *s = context;
	if (!tunnel_port_secured(s->state, NULL, port))
		return false;
	uint32_t index = listener_find(s->state, cookie, NULL);
	cleanup_socket int fd =
		index == NONE ? -1 : listener_borrow(s, &s->state->listeners[index]);
	return fd < 0;
}

/* A marked process that has ended may have left its socket to this one. */
static bool may_have_inherited(struct supervisor *s, const struct program *program)
{
	bool ended = false;
	for (uint32_t i = 0; !ended && i < program->marked_count; i++)
		ended = target_group(s->state, program->marked[i]) < 0;
	return ended && diag_find_listener(is_unaccounted, s) != 0;
}

static bool may_be_a_tunnels(struct supervisor *s, const struct call *call)
{
	const struct program *program = &s->state->programs[call->program];
	if (program->marked_count > MARKED)
		return true;
	/* it may have been given one of a program with other tunnels */
	if (program->guest)
		return s->state->listens;
	if (program->marked_count == 0) /* it may have inherited one that was never seen */
		return diag_find_listener(is_unaccounted, s) != 0;
	int group = target_group(s->state, (int)call->notif.pid);
	return group <= 0 || is_marked(program, group) || descends(s->state, program, group) ||
	       may_have_inherited(s, program);
}

static void refuse(struct supervisor *s, uint32_t index, int error)
{
	const struct call *call = &s->state->calls[index];
	bool for_good = error == -EPERM || error == -ENOTSUP;
	log_warn("accept by process %d is refused: the process cannot be inspected (%s), and its "
		 "socket may be on a tunnel's port; %s",
		 (int)call->notif.pid, strerror(-error),
		 for_good ? "make its executable readable, or run globus-streams-run as root"
			  : "check whether gs-keeper is stopped");
	supervisor_refuse(s, index, for_good ? EACCES : ECONNABORTED);
}

void unseen_accept(struct supervisor *s, uint32_t index, int error)
{
	switch (-error) {
	case EBADF: /* not left to the kernel: another thread may open it in between */
		notify_fail(s->state, index, EBADF);
		return;
	case ENOTSOCK:
		notify_fail(s->state, index, ENOTSOCK);
		return;
	case ESRCH: /* it is gone */
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		supervisor_no_descriptor(s, index, error);
		return;
	case EPERM:
	case ENOTSUP:
		if (!may_be_a_tunnels(s, &s->state->calls[index])) {
			supervisor_no_descriptor(s, index, error);
			return;
		}
	}
	refuse(s, index, error);
}
