#include "cli/run/run_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/run/run_setup.h"
#include "cli/run/run_wait.h"
#include "supervisor/process/attach.h"
#include "supervisor/process/command.h"

/* Ask by a call that the kernel itself would refuse: protocol/control.h, 1. False: no answer. */
static bool ask(long call, struct control_header *message, size_t size, enum control_op op,
		struct control_reply *reply)
{
	*message = (struct control_header){CONTROL_VERSION, (uint8_t)op, 0, (uint32_t)size};
	if (syscall(call, QUESTION_FD, message, size) != 0)
		return false;
	memcpy(reply, message, sizeof(*reply));
	return reply->header.version == CONTROL_VERSION && reply->header.op == CONTROL_REPLY;
}

static bool is_seen(long call)
{
	struct control_reply question = {0}, reply;
	return ask(call, &question.header, sizeof(question), CONTROL_STATUS, &reply);
}

/* A launch that only listens sees connect() too, but only with the lengths of internet
 * addresses; this has another length. */
static bool sees_all_connects(void)
{
	struct control_tunnel message = {0};
	struct control_reply reply;
	return ask(SYS_connect, &message.header, sizeof(message), CONTROL_STATUS, &reply);
}

int inside_probe(void)
{
	return (sees_all_connects() ? INSIDE_CONNECTS : 0) |
	       (is_seen(SYS_bind) ? INSIDE_LISTENS : 0);
}

static const char *explain(int error)
{
	if (error == EPERM)
		return "it runs as another user, or in a container";
	if (error == EDOM)
		return "it maps a HOST:PORT that already goes through another tunnel there";
	return strerror(error);
}

static int tell(const struct state *state, uint32_t tunnel, int sees)
{
	struct control_tunnel message;
	struct control_reply reply = {.error = EBADF};
	attach_describe(state, tunnel, &message);
	if (!ask(sees & INSIDE_CONNECTS ? SYS_connect : SYS_bind, &message.header, sizeof(message),
		 CONTROL_TUNNEL, &reply))
		reply.error = EBADF;
	explicit_bzero(&message, sizeof(message));
	if (reply.error == 0)
		return 0;
	run_error("the outer globus-streams-run refused tunnel %s: %s", state->tunnels[tunnel].id,
		  explain(reply.error));
	return 1;
}

int inside_tell(const struct state *state, int sees)
{
	int status = 0;
	for (uint32_t i = 0; status == 0 && i < state->tunnel_count; i++) {
		const struct tunnel *tunnel = &state->tunnels[i];
		const char *lacks = NULL;
		if (tunnel->initiates && !(sees & INSIDE_CONNECTS))
			lacks = "connect";
		else if (tunnel->ports[0] && !(sees & INSIDE_LISTENS))
			lacks = "accept";
		if (lacks)
			run_error("the outer globus-streams-run does not watch %s(), which tunnel "
				  "%s needs; name this tunnel there as well",
				  lacks, tunnel->id);
		status = lacks ? 1 : tell(state, i, sees);
	}
	return status;
}

int inside_run(const struct launch *launch)
{
	if (launch->preload && command_preload(launch->preload) < 0) {
		run_error("cannot start: %s", strerror(errno));
		return 1;
	}
	execvp(launch->command[0], launch->command);
	return run_explain_exec(launch->command[0], errno);
}
