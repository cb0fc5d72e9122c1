/* notify.c: SYNC_WAKE_UP can be asked for from Linux 6.6; before, asking is refused and nothing is
 * lost.
 */

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "tests/kernel/watch.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

int main(void)
{
	believe("SYNC_WAKE_UP is there from 6.6");
	long *result = shared(sizeof(*result));
	struct watched w = watch(SYS_getppid, call_getppid, result);
	int error = error_of(
		ioctl(w.notify, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP));
	expect(error == (kernel_since(6, 6) ? 0 : EINVAL), "it says %s", strerror(error));
	uint64_t id = take(w.notify).id;
	expect(give(w.notify, id, 4711, 0) == 0, "SEND: %s", strerror(errno));
	expect(ended(w.pid) == 0 && *result == 4711, "the call gave %ld", *result);
	return it_holds();
}
