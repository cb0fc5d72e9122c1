/* recover.c: a notification that was received by a supervisor which shares the descriptor table and
 * then was killed waits still: it is valid, can be answered by another, and is not received again.
 */

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

int main(void)
{
	believe("what a killed CLONE_FILES supervisor had received, another can answer");
	long *result = shared(sizeof(*result));
	struct seccomp_notif *slot = shared(sizeof(*slot));
	struct watched w = watch(SYS_getppid, call_getppid, result);
	pid_t supervisor = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (supervisor == 0) {
		if (receive(w.notify, slot) == 0)
			kill(getpid(), SIGKILL);
		_exit(1);
	}
	expect(ended(supervisor) == -SIGKILL, "the supervisor could not receive");
	expect(slot->id && (pid_t)slot->pid == w.pid, "the slot does not name the call");
	expect(is_valid(w.notify, slot->id), "it is not valid any more");
	struct pollfd again = {.fd = w.notify, .events = POLLIN};
	expect(poll(&again, 1, 0) == 0, "the listener says 0x%x: it is there again",
	       (unsigned)again.revents);
	int error = give(w.notify, slot->id, 4711, 0);
	expect(error == 0, "no answer: %s", strerror(error));
	expect(ended(w.pid) == 0 && *result == 4711, "the call returned %ld", *result);
	return it_holds();
}
