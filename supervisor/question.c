/* The shim's question, protocol/control.h. */

#include <errno.h>

#include "protocol/control.h"
#include "supervisor/fault.h"
#include "supervisor/lookup.h"
#include "supervisor/names.h"
#include "supervisor/notify.h"
#include "supervisor/supervisor.h"
#include "supervisor/target.h"

/* Answer it; the call is in no list. */
static void answer(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	struct question question;
	/* a negative descriptor is wrong to the kernel, whatever else is right */
	if (target_read(s->state, call, call->args[1], &question, sizeof(question)) < 0 ||
	    question.magic != QUESTION_MAGIC || question.version != CONTROL_VERSION) {
		notify_fail(s->state, index, EBADF);
		return;
	}
	names_answer(s->state, &question);
	fault_point("question.answered");
	if (target_write(s->state, call, call->args[1], &question, sizeof(question)) < 0)
		notify_fail(s->state, index, EBADF);
	else
		notify_return(s->state, index, 0);
}

void question_call(struct supervisor *s, uint32_t index)
{
	if (s->state->calls[index].args[2] != sizeof(struct question))
		notify_fail(s->state, index, EBADF);
	else
		answer(s, index);
}
