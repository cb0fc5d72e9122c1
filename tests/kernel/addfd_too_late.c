/* accept.c: ADDFD, SEND and ID_VALID after a signal has taken the call back are ENOENT, and nothing
 * is added. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

static void interrupt(int signal)
{
	(void)signal;
}

/* How many descriptors are there more after a call that is interrupted? */
static int body(void *arg)
{
	struct sigaction action = {.sa_handler = interrupt};
	long *stage = arg;
	sigaction(SIGUSR1, &action, NULL);
	int before = dup(STDOUT_FILENO);
	close(before);
	if (error_of(syscall(SYS_getppid)) != EINTR)
		return 1;
	*stage = 1;
	while (*(volatile long *)stage == 1)
		sched_yield();
	return dup(STDOUT_FILENO) == before ? 0 : 2;
}

int main(void)
{
	believe("ADDFD, SEND and ID_VALID after an interruption are ENOENT");
	long *stage = shared(sizeof(*stage));
	struct watched w = watch(SYS_getppid, body, stage);
	struct seccomp_notif notif = take(w.notify);
	kill(w.pid, SIGUSR1);
	while (*(volatile long *)stage == 0)
		sched_yield();
	int number = add_fd(w.notify, notif.id, STDOUT_FILENO, 0);
	int error = give(w.notify, notif.id, 0, 0);
	uint64_t id = notif.id;
	int valid = error_of(ioctl(w.notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
	*stage = 2;
	expect(number == -ENOENT, "ADDFD gave %s", number < 0 ? strerror(-number) : "a number");
	expect(error == ENOENT, "SEND gave %s", strerror(error));
	expect(valid == ENOENT, "ID_VALID gave %s", strerror(valid));
	int status = ended(w.pid);
	expect(status == 0, "the program saw %s", status == 1 ? "no EINTR" : "a new descriptor");
	return it_holds();
}
