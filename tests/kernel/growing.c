#include "tests/kernel/growing.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALLEST 64   /* a table's size doubles from here */
#define LARGEST  4096 /* the usual hard limit */

static void interrupt(int signal)
{
	(void)signal;
}

static void interrupt_every(suseconds_t microseconds)
{
	struct itimerval timer = {{0, microseconds}, {0, microseconds}};
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* With another user of its descriptor table. */
static int calls(void *unused)
{
	struct rlimit room;
	long result;
	(void)unused;
	getrlimit(RLIMIT_NOFILE, &room);
	room.rlim_cur = room.rlim_max;
	setrlimit(RLIMIT_NOFILE, &room);
	pid_t other = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (other == 0)
		for (;;)
			pause();
	call_getppid(&result);
	kill(other, SIGKILL);
	return (int)result;
}

static int grows(void *arg)
{
	const struct growing *growing = arg;
	struct seccomp_notif_addfd add = {
		.id = growing->notif.id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = STDOUT_FILENO};
	for (unsigned size = SMALLEST; size < LARGEST; size *= 2) {
		add.newfd = size;
		if (ioctl(growing->watched.notify, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
			return errno;
	}
	return 0;
}

void growing_begin(struct growing *growing)
{
	struct sigaction action = {.sa_handler = interrupt};
	sigaction(SIGALRM, &action, NULL);
	growing->watched = watch(SYS_getppid, calls, NULL);
	growing->notif = take(growing->watched.notify);
	interrupt_every(200);
	growing->grower = start(grows, growing);
}

bool growing_goes_on(struct growing *growing)
{
	int status = 0;
	if (waitpid(growing->grower, &status, WNOHANG) == 0)
		return true;
	expect(status == 0, "the table did not grow: %s", strerror(WEXITSTATUS(status)));
	return false;
}

void growing_stop(void)
{
	interrupt_every(0);
}

void growing_end(struct growing *growing)
{
	int status = ended(growing->watched.pid);
	expect(status == 0, "the call gave %d", status);
	close(growing->watched.notify);
}
