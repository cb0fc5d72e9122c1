/* target.c: a notification names a thread, whose pidfd can be opened from Linux 6.9 with
 * PIDFD_THREAD, which is what a trial on oneself tells; without the flag it is EINVAL or ENOENT.
 * The thread's group stands in /proc/TID/status. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static void *thread(void *arg)
{
	call_getppid(arg);
	return NULL;
}

static int body(void *arg)
{
	pthread_t other;
	pthread_create(&other, NULL, thread, arg);
	pthread_join(other, NULL);
	return 0;
}

static int open_pidfd(pid_t pid, unsigned flags)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, flags);
	return fd < 0 ? -errno : fd;
}

static int group_of(pid_t tid)
{
	char path[64], line[256];
	int group = -1;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	FILE *status = fopen(path, "re");
	while (status && group < 0 && fgets(line, sizeof(line), status))
		sscanf(line, "Tgid: %d", &group);
	if (status)
		fclose(status);
	return group;
}

int main(void)
{
	believe("notif.pid is a thread; PIDFD_THREAD opens it from 6.9");
	long *result = shared(sizeof(*result));
	struct watched w = watch(SYS_getppid, body, result);
	struct seccomp_notif notif = take(w.notify);
	pid_t tid = (pid_t)notif.pid;
	expect(tid != w.pid, "the caller is the thread group's leader");
	expect(group_of(tid) == w.pid, "Tgid of the thread is %d", group_of(tid));
	int error = -open_pidfd(tid, 0);
	expect(error == EINVAL || error == ENOENT, "pidfd_open of a thread: %s",
	       error < 0 ? "a descriptor" : strerror(error));
	int fd = open_pidfd(tid, PIDFD_THREAD), own = open_pidfd(gettid(), PIDFD_THREAD);
	expect((fd >= 0) == kernel_since(6, 9), "PIDFD_THREAD: %s",
	       fd < 0 ? strerror(-fd) : "a descriptor");
	expect((own >= 0) == (fd >= 0), "the trial on oneself says something else");
	give(w.notify, notif.id, 0, 0);
	expect(ended(w.pid) == 0, "the program failed");
	return it_holds();
}
