/* notify.h: ADDFD waits until its caller has run, which may be a long time; a signal ends the wait
 * with EINTR, and nothing was added then. */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

#define INTERRUPTED 20

static int first = -1, second = -1; /* processors */

static void interrupt(int signal)
{
	(void)signal;
}

static void stay_on(int processor)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	expect(sched_setaffinity(0, sizeof(set), &set) == 0, "processor: %s", strerror(errno));
}

static void choose_processors(void)
{
	cpu_set_t set;
	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set) && first < 0)
			first = i;
		else if (CPU_ISSET(i, &set))
			second = i;
	}
	if (second < 0)
		skip("there is one processor");
}

/* How many more descriptors are there after the call? */
static int body(void *arg)
{
	struct sched_param none = {0};
	stay_on(first);
	sched_setscheduler(0, SCHED_IDLE, &none);
	int before = dup(STDOUT_FILENO);
	syscall(SYS_getppid);
	*(long *)arg = dup(STDOUT_FILENO) - before - 1;
	return 0;
}

static int burns(void *unused)
{
	(void)unused;
	stay_on(first);
	for (;;)
		;
	return 0;
}

int main(void)
{
	believe("ADDFD waits for its caller to run, and a signal ends that");
	choose_processors();
	long *more = shared(sizeof(*more));
	struct watched w = watch(SYS_getppid, body, more);
	struct seccomp_notif notif = take(w.notify);
	struct sigaction action = {.sa_handler = interrupt};
	struct itimerval soon = {{0, 2000}, {0, 2000}}, off = {0};
	int added = 0, interrupted = 0;
	stay_on(second);
	pid_t hogs[] = {start(burns, NULL), start(burns, NULL)};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (int tries = 0; interrupted < INTERRUPTED && tries < 10000; tries++) {
		int number = add_fd(w.notify, notif.id, STDOUT_FILENO, 0);
		expect(number >= 0 || number == -EINTR, "ADDFD: %s", strerror(-number));
		added += number >= 0;
		interrupted += number < 0;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	for (int i = 0; i < 2; i++)
		kill(hogs[i], SIGKILL);
	give(w.notify, notif.id, 0, 0);
	ended(w.pid);
	seen("%d of %d were interrupted", interrupted, added + interrupted);
	expect(interrupted, "none of %d was interrupted", added);
	expect(*more == added, "%d were reported and %ld are there", added, *more);
	return it_holds();
}
