/* The shim's question, and those of a launcher inside a supervised program: protocol/control.h. */

#include <errno.h>
#include <string.h>

#include "protocol/control.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/log.h"
#include "supervisor/calls/blind.h"
#include "supervisor/calls/core.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/target.h"
#include "supervisor/tunnel/names.h"
#include "supervisor/tunnel/tunnel.h"

void question_answer(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	struct question question;
	int err = target_read(s->state, call, call->args[1], &question, sizeof(question));
	if (err == -EPERM) {
		log_warn("process %d cannot be inspected (%s): its lookups of tunnel names are not "
			 "answered%s",
			 (int)call->notif.pid, strerror(-err), blind_advice(err));
		/* it asks somebody else then, and may get the real address of a mapped name */
		if (s->state->mapped_names && !s->state->programs[call->program].allow_direct)
			blind_tell(s, call);
	}
	/* a negative descriptor is wrong to the kernel, whatever else is right */
	if (err < 0 || question.magic != QUESTION_MAGIC || question.version != CONTROL_VERSION) {
		notify_fail(s->state, index, EBADF);
		return;
	}
	names_answer(s->state, &s->state->programs[call->program].reach, &question);
	if (question.answer == QUESTION_OURS)
		blind_tell(s, call);
	fault_point("question.answered");
	if (target_write(s->state, call, call->args[1], &question, sizeof(question)) < 0)
		notify_fail(s->state, index, EBADF);
	else
		notify_return(s->state, index, 0);
}

/* --- a launcher inside --- */

/* More than the keeper's hand reads at once. */
static int read_long(struct state *state, const struct call *call, void *data, size_t len)
{
	int err = 0;
	for (size_t at = 0; err == 0 && at < len; at += HAND_DATA) {
		size_t part = len - at < HAND_DATA ? len - at : HAND_DATA;
		err = target_read(state, call, call->args[1] + at, (char *)data + at,
				  (uint32_t)part);
	}
	return err;
}

/* A guest, or a program that has taken on another user's id, or is in a container, is not to say
 * where the others' names lead, nor in which folder globus-streams looks for us; nor is any to say
 * it of a tunnel that is there. */
static int take_tunnel(struct supervisor *s, const struct call *call,
		       struct control_tunnel *message)
{
	bool guest = s->state->programs[call->program].guest;
	int err = guest ? -EPERM : target_owner(s->state, (int)call->notif.pid);
	if (err == 0 && !notify_valid(s->state, call))
		err = -ESRCH;
	if (err == 0)
		err = tunnel_take(s->state, message, false);
	if (err == 0)
		log_debug("process %d added tunnel %s", (int)call->notif.pid, message->id);
	return err;
}

static void answer_launcher(struct supervisor *s, uint32_t index, size_t size)
{
	struct call *call = &s->state->calls[index];
	union {
		struct control_header header;
		struct control_reply reply;
		struct control_tunnel tunnel;
	} message;
	if (read_long(s->state, call, &message, size) < 0 ||
	    message.header.version != CONTROL_VERSION || message.header.size != size ||
	    (message.header.op != CONTROL_STATUS &&
	     (message.header.op != CONTROL_TUNNEL || size != sizeof(message.tunnel)))) {
		notify_fail(s->state, index, EBADF);
		return;
	}
	int err = message.header.op == CONTROL_TUNNEL ? take_tunnel(s, call, &message.tunnel) : 0;
	explicit_bzero(&message, sizeof(message));
	message.reply = (struct control_reply){
		{CONTROL_VERSION, CONTROL_REPLY, 0, sizeof(message.reply)}, -err, 0};
	if (target_write(s->state, call, call->args[1], &message.reply, sizeof(message.reply)) < 0)
		notify_fail(s->state, index, EBADF);
	else
		notify_return(s->state, index, 0);
}

void question_call(struct supervisor *s, uint32_t index)
{
	uint64_t size = s->state->calls[index].args[2];
	if (size == sizeof(struct question))
		question_answer(s, index);
	else if (size == sizeof(struct control_trial))
		trial_call(s, index);
	else if (size == sizeof(struct control_reply) || size == sizeof(struct control_tunnel))
		answer_launcher(s, index, (size_t)size);
	else
		notify_fail(s->state, index, EBADF);
}
