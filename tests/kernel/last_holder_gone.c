/* keeper.c: when the last holder of the listener descriptor is gone, calls fail with ENOSYS: those
 * that wait, received or not, and all that come. */

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

static int two_calls(void *arg)
{
	long *results = arg;
	results[0] = error_of(syscall(SYS_getppid));
	results[1] = error_of(syscall(SYS_getppid));
	return 0;
}

int main(void)
{
	believe("without a holder of the listener, calls fail with ENOSYS");
	long *results = shared(2 * sizeof(*results));
	struct watched w = watch(SYS_getppid, two_calls, results);
	take(w.notify);
	close(w.notify);
	expect(ended(w.pid) == 0, "the process did not go on");
	expect(results[0] == ENOSYS, "the call that waited: %s", strerror((int)results[0]));
	expect(results[1] == ENOSYS, "the next call: %s", strerror((int)results[1]));
	return it_holds();
}
