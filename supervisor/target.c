#include "supervisor/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/fault.h"
#include "supervisor/fd.h"
#include "supervisor/hand.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static int moved(int count, uint32_t len)
{
	if (count < 0)
		return count;
	return (uint32_t)count == len ? 0 : -EFAULT;
}

int target_read(struct state *state, const struct call *call, uint64_t address, void *data,
		uint32_t len)
{
	int tid = (int)call->notif.pid;
	int got = state->yama ? -EPERM : hand_own_read(tid, address, data, len);
	if (got == -EPERM) {
		got = hand_read(state, tid, address, data, len);
		state->yama |= got >= 0; /* the keeper may and we may not: so it will be */
	}
	return moved(got, len);
}

int target_write(struct state *state, const struct call *call, uint64_t address, const void *data,
		 uint32_t len)
{
	int tid = (int)call->notif.pid;
	int put = state->yama ? -EPERM : hand_own_write(tid, address, data, len);
	if (put == -EPERM)
		put = hand_write(state, tid, address, data, len);
	return moved(put, len);
}

static int pidfd_open_flags(int pid, unsigned flags)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, flags);
	return fd < 0 ? -errno : fd;
}

bool target_probe_pidfd_thread(void)
{
	int fd = pidfd_open_flags((int)gettid(), PIDFD_THREAD);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* From /proc/TID/status. */
int target_group(int tid)
{
	char path[64], line[256];
	int group = -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	FILE *status = fopen(path, "re");
	while (status && group < 0 && fgets(line, sizeof(line), status))
		sscanf(line, "Tgid: %d", &group);
	if (status)
		fclose(status);
	return group;
}

/* Before Linux 6.9 a pidfd is a thread group's: right only where the thread shares its table. */
static int open_group(int tid)
{
	int group = target_group(tid);
	if (group < 0)
		return group;
	if (group != tid && syscall(SYS_kcmp, group, tid, KCMP_FILES, 0, 0) != 0)
		return -ENOTSUP;
	return pidfd_open_flags(group, 0);
}

static int getfd(struct state *state, int pidfd, int number)
{
	int fd = state->yama ? -EPERM : hand_own_getfd(pidfd, number);
	if (fd == -EPERM)
		fd = hand_getfd(state, pidfd, number);
	fault_point("target.duplicated");
	return fd;
}

/* The pidfds of the threads that called last. This process's own: another supervisor closes what it
 * finds of them. A thread that is gone gives ESRCH, also where another has its number now. */
static struct {
	int tid, fd;
} recent[16];

static int getfd_of_thread(struct state *state, int tid, int number)
{
	unsigned at = (unsigned)tid % (sizeof(recent) / sizeof(*recent));
	if (recent[at].tid == tid) {
		int fd = getfd(state, recent[at].fd, number);
		if (fd != -ESRCH)
			return fd;
	}
	if (recent[at].tid)
		close(recent[at].fd);
	recent[at].fd = pidfd_open_flags(tid, PIDFD_THREAD);
	fault_point("target.pidfd-opened");
	recent[at].tid = recent[at].fd < 0 ? 0 : tid;
	return recent[at].fd < 0 ? recent[at].fd : getfd(state, recent[at].fd, number);
}

int target_descriptor_of(struct state *state, int tid, int number)
{
	if (tid <= 0)
		return -EPERM; /* of another pid namespace */
	if (state->pidfd_thread)
		return getfd_of_thread(state, tid, number);
	cleanup_fd int pidfd = open_group(tid);
	return pidfd < 0 ? pidfd : getfd(state, pidfd, number);
}

int target_descriptor(struct state *state, const struct call *call, int number)
{
	return target_descriptor_of(state, (int)call->notif.pid, number);
}

uint64_t socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

int target_find_socket(int tid, int fd)
{
	char path[64], wanted[64], found[64];
	struct stat stat;
	int number = -1;
	if (fstat(fd, &stat) < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)stat.st_ino);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && number < 0 && (entry = readdir(dir));) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, found, sizeof(found) - 1);
		if (len > 0) {
			found[len] = '\0';
			if (strcmp(found, wanted) == 0)
				number = (int)strtol(entry->d_name, NULL, 10);
		}
	}
	if (dir)
		closedir(dir);
	return number;
}

bool target_has_socket(struct state *state, int tid, int number, uint64_t cookie, int duplicate)
{
	cleanup_fd int fd = target_descriptor_of(state, tid, number);
	if (fd >= 0 && socket_cookie(fd) == cookie)
		return true;
	return target_find_socket(tid, duplicate) >= 0;
}
