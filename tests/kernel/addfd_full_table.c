/* accept.c: ADDFD to a table that is full is EMFILE, and the call waits still. */

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

static int body(void *arg)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_NOFILE, &none);
	return call_getppid(arg);
}

int main(void)
{
	believe("ADDFD to a full table is EMFILE, with the id still valid");
	long *result = shared(sizeof(*result));
	struct watched w = watch(SYS_getppid, body, result);
	struct seccomp_notif notif = take(w.notify);
	int number = add_fd(w.notify, notif.id, STDOUT_FILENO, 0);
	expect(number == -EMFILE, "ADDFD gave %s", number < 0 ? strerror(-number) : "a number");
	expect(is_valid(w.notify, notif.id), "the call does not wait any more");
	int error = give(w.notify, notif.id, 0, EMFILE);
	expect(error == 0, "SEND: %s", strerror(error));
	expect(ended(w.pid) == 0 && *result == -EMFILE, "the call gave %ld", *result);
	return it_holds();
}
