/* keeper.c: a shared mapping with MADV_DONTFORK is not there in a child; MADV_DOFORK makes it an
 * ordinary one again. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "tests/kernel/kernel.h"

static int look(void *arg)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	return *(volatile long *)arg == 4711 ? 0 : 1;
}

int main(void)
{
	believe("MADV_DONTFORK keeps a shared mapping out of a child");
	size_t size = 1 << 20;
	long *secret = shared(size);
	*secret = 4711;
	expect(madvise(secret, size, MADV_DONTFORK) == 0, "DONTFORK: %s", strerror(errno));
	int status = ended(start(look, secret));
	expect(status == -SIGSEGV, "a child that looks ends with %d", status);
	expect(madvise(secret, size, MADV_DOFORK) == 0, "DOFORK: %s", strerror(errno));
	status = ended(start(look, secret));
	expect(status == 0, "after DOFORK a child ends with %d", status);
	return it_holds();
}
