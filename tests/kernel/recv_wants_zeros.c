/* notify.c: the structure that RECV fills must be zeroed; a call that a signal has taken back
 * before it was received is ENOENT. */

#include <errno.h>
#include <poll.h>
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

/* Two calls: the first is interrupted. */
static int body(void *arg)
{
	struct sigaction action = {.sa_handler = interrupt};
	long *results = arg;
	sigaction(SIGUSR1, &action, NULL);
	results[0] = error_of(syscall(SYS_getppid));
	results[1] = error_of(syscall(SYS_getppid));
	return 0;
}

int main(void)
{
	believe("RECV wants zeros, and says ENOENT where a signal took the call back");
	long *results = shared(2 * sizeof(*results));
	struct watched w = watch(SYS_getppid, body, results);
	struct pollfd there = {.fd = w.notify, .events = POLLIN};
	struct seccomp_notif notif;

	poll(&there, 1, -1);
	memset(&notif, 1, sizeof(notif));
	int error = error_of(ioctl(w.notify, SECCOMP_IOCTL_NOTIF_RECV, &notif));
	expect(error == EINVAL, "RECV into ones: %s", strerror(error));

	kill(w.pid, SIGUSR1);
	struct pollfd gone = {.fd = w.notify, .events = POLLIN};
	/* the second call is not to be seen in place of the first */
	while (poll(&gone, 1, 0) > 0 && results[0] == 0)
		;
	error = receive(w.notify, &notif);
	if (error == 0) /* the second call was already there: as good, and the first is gone */
		expect(results[0] == EINTR, "what was received is the call that was interrupted");
	else
		expect(error == ENOENT, "RECV of nothing: %s", strerror(error));
	if (error)
		notif = take(w.notify);
	expect(give(w.notify, notif.id, 1, 0) == 0, "no answer: %s", strerror(errno));
	expect(ended(w.pid) == 0 && results[0] == EINTR, "the call was not interrupted");
	return it_holds();
}
