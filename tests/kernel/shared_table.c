/* keeper.c: what a child made with clone(CLONE_FILES), without exec, has opened outlives it. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"

int main(void)
{
	believe("descriptors of a CLONE_FILES child that was killed stay open");
	int *fds = shared(2 * sizeof(*fds));
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (child == 0) {
		if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], "x", 1) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	expect(ended(child) == -SIGKILL, "the child was not killed");
	char byte = 0;
	expect(read(fds[0], &byte, 1) == 1 && byte == 'x', "its pipe: %s", strerror(errno));
	return it_holds();
}
