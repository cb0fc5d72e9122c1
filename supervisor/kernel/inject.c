#include "supervisor/kernel/inject.h"

#include <errno.h>

#include "supervisor/base/loop.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/socket.h"

#define LONG       (4 * MILLISECOND)
#define SLOW       (60 * SECOND) /* that a launch is known as slow to take what it is given … */
#define SLOW_TIMES 3             /* … after so many times … */
#define SLOW_APART (10 * SECOND) /* … at most so far apart */

static void note_slow(struct program *program)
{
	uint64_t now = loop_now();
	if (program->slow_at + SLOW_APART < now)
		program->slow_times = 0;
	program->slow_at = now;
	if (++program->slow_times >= SLOW_TIMES)
		program->slow_until = now + SLOW;
}

int inject_descriptor(struct state *state, uint32_t index, int fd, bool cloexec)
{
	const struct call *call = &state->calls[index];
	struct program *program = &state->programs[call->program];
	if (program->slow_until >= loop_now())
		return -EBUSY;
	uint64_t began = loop_now();
	if (program->slow_times)
		socket_interrupting(LONG / 1000);
	int number = notify_inject(program->notify_fd, call->notif.id, fd, cloexec);
	if (program->slow_times)
		socket_interrupting(0);
	if (number == -EINTR || loop_now() - began > LONG)
		note_slow(program);
	return number;
}
