/* A launcher's child asks, before its command starts, whether it can be served: needs.h. */

#include <errno.h>
#include <string.h>

#include "supervisor/calls/core.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/needs.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/real.h"

#define PATIENCE 100 /* times that the watchdog interrupts us, each after 10 ms */

/* The first of the calls behind an operation that is forbidden to us, or else the last. */
static enum need blame(enum need first, enum need last)
{
	for (enum need need = first; need < last; need++)
		if (needs_try_own(need) < 0)
			return need;
	return last;
}

/* On a busy machine the process may not get to run for a while. */
static int inject(struct supervisor *s, const struct call *call, int fd)
{
	int number = -EINTR;
	for (int tries = 0; number == -EINTR && tries < PATIENCE; tries++)
		number = notify_inject(s->state->programs[call->program].notify_fd, call->notif.id,
				       fd, true);
	return number;
}

static enum need try_all(struct supervisor *s, const struct call *call, int number, int *added,
			 int *err)
{
	cleanup_socket int fd = target_descriptor(s->state, call, number);
	*err = fd;
	if (fd < 0)
		return blame(NEED_PIDFD_OPEN, NEED_PIDFD_GETFD);
	*err = target_group(s->state, (int)call->notif.pid);
	if (*err < 0)
		return NEED_STATUS;
	*err = *added = inject(s, call, fd);
	if (*err < 0)
		return NEED_ADDFD;
	*err = notify_valid(s->state, call) ? 0 : -ENOENT;
	return *err < 0 ? NEED_VALID : NEED_NONE;
}

void trial_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	struct control_trial trial;
	int err;
	if (target_read(s->state, call, call->args[1], &trial, sizeof(trial)) < 0 ||
	    trial.header.version != CONTROL_VERSION || trial.header.op != CONTROL_TRIAL) {
		notify_fail(s->state, index, EBADF);
		return;
	}
	trial.header.op = CONTROL_REPLY;
	int number = trial.fd;
	trial.fd = -1;
	trial.need = try_all(s, call, number, &trial.fd, &err);
	trial.error = trial.need ? -err : 0;
	trial.again = !s->state->programs[call->program].allow_direct && real_is_pending(s->state);
	err = target_write(s->state, call, call->args[1], &trial, sizeof(trial));
	if (err < 0)
		notify_fail(s->state, index, err == -EBADF ? EIO : -err);
	else
		notify_return(s->state, index, 0);
}
