/* cli/run/run.c: where a listener is in place, a second is refused with EBUSY, in children too;
 * once the first is closed, another can be had. */

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

static int try_second(void *arg)
{
	(void)arg;
	return -listen_to(SYS_getppid, 0);
}

int main(void)
{
	believe("a second listener is EBUSY, also in children, until the first is closed");
	int first = listen_to(SYS_getpgid, 0);
	expect(first >= 0, "no listener: %s", strerror(-first));
	int second = listen_to(SYS_getppid, 0);
	expect(second == -EBUSY, "a second listener: %s", strerror(second < 0 ? -second : 0));
	int error = ended(start(try_second, NULL));
	expect(error == EBUSY, "a second listener in a child: %s", strerror(error));
	close(first);
	second = listen_to(SYS_getppid, 0);
	expect(second >= 0, "a listener after the first was closed: %s", strerror(-second));
	return it_holds();
}
