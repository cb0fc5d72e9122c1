#include "supervisor/calls/blind.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "supervisor/base/fault.h"
#include "supervisor/base/log.h"
#include "supervisor/kernel/hand.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/target.h"

static bool knows(const struct program *program, int pid)
{
	for (uint32_t i = 0; i < program->told_count; i++)
		if (program->told[i] == pid)
			return true;
	return false;
}

void blind_tell(struct supervisor *s, const struct call *call)
{
	struct program *program = &s->state->programs[call->program];
	int tid = (int)call->notif.pid;
	if (program->all_told || knows(program, tid))
		return;
	int group = target_group(s->state, tid);
	if (group == -ESRCH || (group != tid && knows(program, group)))
		return;
	if (group <= 0 || program->told_count == TOLD_MAX) {
		program->all_told = true;
		return;
	}
	program->told[program->told_count] = group;
	atomic_signal_fence(memory_order_seq_cst);
	fault_point("blind.told");
	program->told_count++;
}

bool blind_is_told(struct supervisor *s, const struct call *call, int error)
{
	const struct program *program = &s->state->programs[call->program];
	/* another supervisor knew whom it had told, and a container may have a hosts file of its
	 * own */
	if (program->inherited || program->all_told || program->guest)
		return true;
	/* a mapped number is told by nobody, and known to all */
	if (s->state->numeric_names && !program->allow_direct)
		return true;
	if (program->told_count == 0)
		return false;
	return error == -ETIMEDOUT ||
	       hand_proc(s->state, HAND_TOLD, (int)call->notif.pid, (int)call->program) != 0;
}

/*
 * The kernel takes longer ones than these for an internet address too; but programs pass the size
 * of what they have, which is one family's or room for any. Local sockets' are as long as their
 * path, or 110, and programs that nobody may look into use them all the time.
 */
bool blind_may_be_internet(uint64_t len)
{
	const socklen_t without_scope = offsetof(struct sockaddr_in6, sin6_scope_id);
	uint32_t low = (uint32_t)len; /* an int to the kernel */
	return low == sizeof(struct sockaddr_in) || low == sizeof(struct sockaddr_in6) ||
	       low == without_scope || low == sizeof(struct sockaddr_storage);
}

const char *blind_advice(int error)
{
	return error == -EPERM ? "; start globus-streams-run as the process's user, or as root "
				 "with CAP_SYS_PTRACE (docker, podman: --cap-add SYS_PTRACE)"
			       : "";
}

void blind_refuse(struct supervisor *s, uint32_t index, int error)
{
	struct call *call = &s->state->calls[index];
	char name[TARGET_COMM] = "?";
	if (!notify_valid(s->state, call)) {
		notify_forget(s->state, index);
		return;
	}
	if (error != -ETIMEDOUT)
		target_comm(s->state, (int)call->notif.pid, name);
	log_warn("a connection of process %d (%s) is refused: the process cannot be inspected "
		 "(%s), and the connection may be meant for a tunnel%s",
		 (int)call->notif.pid, name,
		 error == -ETIMEDOUT ? "gs-keeper does not respond" : strerror(-error),
		 blind_advice(error));
	notify_fail(s->state, index, ECONNREFUSED);
}

bool blind_may_mean_tunnel(struct supervisor *s, const struct call *call, uint64_t len, int error)
{
	/* what we cannot read the kernel cannot, either */
	return error != -EFAULT && blind_may_be_internet(len) && blind_is_told(s, call, error);
}

void blind_answer(struct supervisor *s, uint32_t index, uint64_t len, int error)
{
	if (!blind_may_mean_tunnel(s, &s->state->calls[index], len, error))
		notify_pass(s->state, index);
	else
		blind_refuse(s, index, error);
}
