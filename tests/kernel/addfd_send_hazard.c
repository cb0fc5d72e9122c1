/* notify.h: why ADDFD is not told to SEND in the same step. Where a signal interrupts the one who
 * says it, at the wrong moment, the call is answered with 0 and no descriptor: accept() would
 * return standard input. How often is a matter of luck, so this only tells. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

#ifndef SECCOMP_ADDFD_FLAG_SEND /* Linux 5.14 */
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

#define TRIES 1000

struct counts {
	int zeros, numbers;
};

static void interrupt(int signal)
{
	(void)signal;
}

static int body(void *arg)
{
	struct counts *counts = arg;
	for (int i = 0; i < TRIES; i++) {
		long number = syscall(SYS_getppid);
		counts->zeros += number == 0;
		counts->numbers += number > 0;
		if (number > 0)
			close((int)number);
	}
	return 0;
}

/* Both on one processor: the caller cannot take the descriptor before we wait for it. */
static void share_processor(void)
{
	cpu_set_t here;
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

int main(void)
{
	believe("ADDFD with the SEND flag, interrupted, makes the call return 0");
	if (!kernel_since(5, 14))
		skip("this kernel has no SECCOMP_ADDFD_FLAG_SEND");
	struct counts *counts = shared(sizeof(*counts));
	struct sigaction action = {.sa_handler = interrupt};
	struct itimerval fast = {{0, 30}, {0, 30}}, off = {0};
	share_processor();
	struct watched w = watch(SYS_getppid, body, counts);
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < TRIES; i++) {
		struct seccomp_notif notif = take(w.notify);
		setitimer(ITIMER_REAL, &fast, NULL);
		while (add_fd(w.notify, notif.id, STDOUT_FILENO, SECCOMP_ADDFD_FLAG_SEND) == -EINTR)
			;
		setitimer(ITIMER_REAL, &off, NULL);
	}
	ended(w.pid);
	seen("%d of %d calls were answered with 0, the others with their descriptor", counts->zeros,
	     TRIES);
	expect(counts->zeros + counts->numbers == TRIES, "a call was answered in another way");
	return it_holds();
}
