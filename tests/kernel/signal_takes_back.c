/* connect.c: a signal takes a received notification back; where the call is restarted, it comes
 * again with a new id, else it is EINTR. SIGSTOP and SIGCONT do the same. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

static void handle(int signal)
{
	(void)signal;
}

static int body(void *arg)
{
	struct sigaction restarts = {.sa_handler = handle, .sa_flags = SA_RESTART},
			 interrupts = {.sa_handler = handle};
	sigaction(SIGUSR1, &restarts, NULL);
	sigaction(SIGUSR2, &interrupts, NULL);
	return call_getppid(arg);
}

/* The call must come again under a new id; returns it. */
static uint64_t again(const struct watched *w, uint64_t before, const char *after)
{
	struct seccomp_notif notif = take(w->notify);
	expect(notif.id != before, "the same id after %s", after);
	expect(!is_valid(w->notify, before), "the old id is valid after %s", after);
	return notif.id;
}

int main(void)
{
	believe("a signal takes a notification back; a restarted call has a new id");
	long *result = shared(sizeof(*result));
	struct watched w = watch(SYS_getppid, body, result);
	uint64_t id = take(w.notify).id;
	kill(w.pid, SIGUSR1);
	id = again(&w, id, "a signal with SA_RESTART");
	kill(w.pid, SIGSTOP);
	wait_state(w.pid, 'T');
	expect(!is_valid(w.notify, id), "valid while the program is stopped");
	kill(w.pid, SIGCONT);
	id = again(&w, id, "SIGSTOP and SIGCONT");
	kill(w.pid, SIGUSR2);
	expect(ended(w.pid) == 0 && *result == -EINTR, "without SA_RESTART the call gave %ld",
	       *result);
	expect(!is_valid(w.notify, id), "the id is valid after EINTR");
	return it_holds();
}
