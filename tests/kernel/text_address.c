/* filter.c: a filter sees from where a call comes: below 4 GiB from a static program that is not
 * position-independent; above from a shared libc and from one that is. Built in all three ways. */

#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

int main(void)
{
	believe(TEXT_IS_LOW ? "a static program's calls come from below 4 GiB"
			    : "position-independent code calls from above 4 GiB");
	long *result = shared(sizeof(*result));
	struct watched w = watch(SYS_getppid, call_getppid, result);
	struct seccomp_notif notif = take(w.notify);
	unsigned long long from = notif.data.instruction_pointer;
	expect((from >> 32 == 0) == TEXT_IS_LOW, "this call comes from 0x%llx", from);
	give(w.notify, notif.id, 0, 0);
	ended(w.pid);
	return it_holds();
}
