/* notify.c: ADDFD puts a descriptor into the caller's table while the call waits; SEND then tells
 * it the number. newfd_flags decides of close-on-exec. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

/* getppid() returns a descriptor here, and then one that is close-on-exec. */
static int body(void *arg)
{
	(void)arg;
	int plain = (int)syscall(SYS_getppid), cloexec = (int)syscall(SYS_getppid);
	if (fcntl(plain, F_GETFD) != 0 || fcntl(cloexec, F_GETFD) != FD_CLOEXEC)
		return 1;
	return write(plain, "x", 1) == 1 ? 0 : 2;
}

int main(void)
{
	believe("ADDFD and then SEND deliver a descriptor");
	int pipes[2];
	char byte = 0;
	expect(pipe2(pipes, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
	struct watched w = watch(SYS_getppid, body, NULL);
	for (int i = 0; i < 2; i++) {
		struct seccomp_notif notif = take(w.notify);
		struct seccomp_notif_addfd add = {.id = notif.id,
						  .srcfd = (uint32_t)pipes[1],
						  .newfd_flags = i ? O_CLOEXEC : 0};
		int number = ioctl(w.notify, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
		expect(number >= 0, "ADDFD: %s", strerror(errno));
		expect(is_valid(w.notify, notif.id), "the call does not wait any more");
		expect(give(w.notify, notif.id, number, 0) == 0, "SEND: %s", strerror(errno));
	}
	int status = ended(w.pid);
	expect(status == 0, "the descriptor in the program is wrong (%d)", status);
	expect(read(pipes[0], &byte, 1) == 1 && byte == 'x', "nothing came through it");
	return it_holds();
}
