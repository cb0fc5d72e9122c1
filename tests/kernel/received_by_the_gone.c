/* reissue.c: a notification that a process received which then ended, while another holds the
 * listener, is not received again by itself. A tracer that stops the thread for a moment makes the
 * kernel take it back: the call comes again, to whoever holds the listener. The thread is told from
 * others by where in the kernel it waits, and neither it nor its parent notices. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

/* Receives once and is gone, with its own descriptor table. */
static int receives(void *arg)
{
	struct seccomp_notif notif = {0};
	return receive(*(int *)arg, &notif) == 0 ? 0 : 1;
}

static bool is_there(int notify)
{
	struct pollfd again = {.fd = notify, .events = POLLIN};
	return poll(&again, 1, 0) > 0;
}

/* Where it waits; "" or "0": this kernel does not say. */
static void read_wchan(pid_t pid, char text[64])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/wchan", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, 63);
	text[got > 0 ? got : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static void interrupt_for_a_moment(pid_t pid)
{
	siginfo_t info = {0};
	expect(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 &&
		       ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0,
	       "ptrace: %s", strerror(errno));
	expect(waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) == 0 &&
		       info.si_code == CLD_TRAPPED,
	       "it did not stop, but %d: %s", info.si_code, strerror(errno));
	expect(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0, "detach: %s", strerror(errno));
}

int main(void)
{
	believe("a tracer makes a call come again whose receiver is gone");
	need_to_look_into_children();
	char where[64];
	long *result = shared(sizeof(*result));
	struct watched w = watch(SYS_getppid, call_getppid, result);
	expect(ended(start(receives, &w.notify)) == 0, "nothing was received");
	expect(!is_there(w.notify), "it is there again by itself");
	wait_state(w.pid, 'S');
	read_wchan(w.pid, where);
	seen("the thread waits in '%s'", where);
	expect(strcmp(where, "0") == 0 || strcmp(where, "") == 0 || strstr(where, "seccomp"),
	       "the thread waits elsewhere");
	interrupt_for_a_moment(w.pid);
	struct seccomp_notif notif = take(w.notify);
	expect((pid_t)notif.pid == w.pid, "another's call");
	expect(waitpid(w.pid, NULL, WNOHANG | WUNTRACED | WCONTINUED) == 0,
	       "its parent was told of the stop");
	expect(give(w.notify, notif.id, 4711, 0) == 0, "SEND: %s", strerror(errno));
	expect(ended(w.pid) == 0 && *result == 4711, "the call gave %ld", *result);
	return it_holds();
}
