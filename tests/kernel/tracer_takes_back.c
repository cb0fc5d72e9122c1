/* A debugger that stops a program takes its notification back, as a signal does; when it lets go,
 * the call comes again with a new id. */

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/kernel/watch.h"

int main(void)
{
	believe("a debugger takes a notification back, and the call comes again");
	need_to_look_into_children();
	long *result = shared(sizeof(*result));
	struct watched w = watch(SYS_getppid, call_getppid, result);
	uint64_t id = take(w.notify).id;
	expect(ptrace(PTRACE_SEIZE, w.pid, NULL, NULL) == 0 &&
		       ptrace(PTRACE_INTERRUPT, w.pid, NULL, NULL) == 0 &&
		       waitpid(w.pid, NULL, 0) == w.pid,
	       "ptrace: %s", strerror(errno));
	expect(!is_valid(w.notify, id), "valid while a debugger holds the program");
	expect(ptrace(PTRACE_DETACH, w.pid, NULL, NULL) == 0, "detach: %s", strerror(errno));
	struct seccomp_notif notif = take(w.notify);
	expect(notif.id != id, "the same id again");
	expect(give(w.notify, notif.id, 4711, 0) == 0, "SEND: %s", strerror(errno));
	expect(ended(w.pid) == 0 && *result == 4711, "the call gave %ld", *result);
	return it_holds();
}
