/* target.c: a thread may have a descriptor table of its own (unshare(CLONE_FILES)). The group's
 * pidfd gives the leader's file under the number; the thread's own pidfd the thread's. kcmp() tells
 * that the tables differ. */

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/older.h"
#include "tests/kernel/watch.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif
#define NUMBER 100

static void *thread(void *arg)
{
	int *files = arg;
	unshare(CLONE_FILES);
	dup2(files[1], NUMBER);
	syscall(SYS_getppid);
	return NULL;
}

static int body(void *arg)
{
	int *files = arg;
	pthread_t other;
	dup2(files[0], NUMBER);
	syscall(SYS_getppid); /* the tables are still one */
	pthread_create(&other, NULL, thread, files);
	pthread_join(other, NULL);
	return 0;
}

/* Is what a pidfd has under the number this file? */
static bool has(pid_t pid, unsigned flags, int file)
{
	struct stat wanted, found;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, flags);
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, NUMBER, 0);
	expect(fd >= 0, "pidfd_getfd: %s", strerror(errno));
	fstat(file, &wanted);
	fstat(fd, &found);
	close(fd);
	close(pidfd);
	return found.st_ino == wanted.st_ino;
}

int main(void)
{
	believe("a thread may have its own table, which kcmp and its own pidfd show");
	need_to_look_into_children();
	int *files = shared(2 * sizeof(*files));
	files[0] = memfd_create("leader", MFD_CLOEXEC);
	files[1] = memfd_create("thread", MFD_CLOEXEC);
	struct watched w = watch(SYS_getppid, body, files);
	struct seccomp_notif notif = take(w.notify);
	expect(has(w.pid, 0, files[0]), "the leader has another file");
	give(w.notify, notif.id, 0, 0);

	notif = take(w.notify);
	pid_t tid = (pid_t)notif.pid;
	expect(has(w.pid, 0, files[0]), "the leader's file is the thread's now");
	long differ = syscall(SYS_kcmp, w.pid, tid, KCMP_FILES, 0, 0);
	if (differ < 0 && errno == ENOSYS)
		seen("this kernel has no kcmp");
	else
		expect(differ > 0, "kcmp: %s", differ < 0 ? strerror(errno) : "the same table");
	if (kernel_since(6, 9))
		expect(has(tid, PIDFD_THREAD, files[1]), "the thread's pidfd has another file");
	give(w.notify, notif.id, 0, 0);
	expect(ended(w.pid) == 0, "the program failed");
	return it_holds();
}
