/* supervisor.c: a program that made itself non-dumpable cannot be inspected, save with
 * CAP_SYS_PTRACE; descriptors can be added to it, and its calls answered. */

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

static long word;

static int body(void *arg)
{
	prctl(PR_SET_DUMPABLE, 0);
	return call_getppid(arg);
}

int main(void)
{
	believe("a non-dumpable program is EPERM to look into, and ADDFD works");
	long *result = shared(sizeof(*result)), read = 0;
	struct watched w = watch(SYS_getppid, body, result);
	struct seccomp_notif notif = take(w.notify);
	int wanted = geteuid() == 0 ? 0 : EPERM;
	int fd = duplicate(w.pid, STDOUT_FILENO), error = read_word(w.pid, &word, &read);
	expect((fd < 0 ? -fd : 0) == wanted, "pidfd_getfd: %s",
	       fd < 0 ? strerror(-fd) : "a descriptor");
	expect(error == wanted, "process_vm_readv: %s", strerror(error));
	int number = add_fd(w.notify, notif.id, STDOUT_FILENO, 0);
	expect(number >= 0, "ADDFD: %s", strerror(-number));
	error = give(w.notify, notif.id, number, 0);
	expect(error == 0, "SEND: %s", strerror(error));
	expect(ended(w.pid) == 0 && *result == number, "the call gave %ld", *result);
	return it_holds();
}
