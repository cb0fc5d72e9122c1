/* notify.c: ADDFD that a signal interrupts with EINTR has added nothing, and can be said again: as
 * many descriptors are in the caller's table as were reported. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

#define ADDED 200

static void interrupt(int signal)
{
	(void)signal;
}

/* How many more descriptors are there after the call? */
static int body(void *arg)
{
	long *more = arg;
	int before = dup(STDOUT_FILENO);
	syscall(SYS_getppid);
	*more = dup(STDOUT_FILENO) - before - 1;
	return 0;
}

int main(void)
{
	believe("ADDFD that is interrupted has added nothing");
	long *more = shared(sizeof(*more));
	struct watched w = watch(SYS_getppid, body, more);
	struct seccomp_notif notif = take(w.notify);
	struct sigaction action = {.sa_handler = interrupt};
	struct itimerval fast = {{0, 50}, {0, 50}}, off = {0};
	int added = 0, interrupted = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &fast, NULL);
	while (added < ADDED) {
		int number = add_fd(w.notify, notif.id, STDOUT_FILENO, 0);
		expect(number >= 0 || number == -EINTR, "ADDFD: %s", strerror(-number));
		added += number >= 0;
		interrupted += number < 0;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	give(w.notify, notif.id, 0, 0);
	ended(w.pid);
	seen("%d of %d were interrupted", interrupted, added + interrupted);
	expect(*more == ADDED, "%d were reported and %ld are there", ADDED, *more);
	return it_holds();
}
