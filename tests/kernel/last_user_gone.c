/* keeper.c: when no process with the filter is left, the listener says POLLHUP: from Linux 6.11
 * when the last has ended, before only once it was reaped, and maybe a moment later. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/kernel/net.h"
#include "tests/kernel/watch.h"

static int body(void *arg)
{
	(void)arg;
	return 0;
}

int main(void)
{
	believe("POLLHUP comes when the last user of the filter is gone");
	siginfo_t info;
	struct watched w = watch(SYS_getppid, body, NULL);
	expect(waitid(P_PID, (id_t)w.pid, &info, WEXITED | WNOWAIT) == 0, "waitid: %s",
	       strerror(errno));
	if (kernel_since(6, 11)) {
		expect(wait_for(w.notify, 0) == POLLHUP, "no POLLHUP before it is reaped");
	} else {
		struct pollfd listener = {.fd = w.notify};
		expect(poll(&listener, 1, 0) == 0, "POLLHUP before it is reaped: 0x%x",
		       (unsigned)listener.revents);
	}
	ended(w.pid);
	short events = wait_for(w.notify, 0);
	expect(events == POLLHUP, "once it is reaped: 0x%x", (unsigned)events);
	return it_holds();
}
