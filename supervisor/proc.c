#include "supervisor/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/fd.h"
#include "supervisor/loop.h"

#define SEARCH (20 * MILLISECOND)

/* From /proc/TID/status. */
int proc_group(int tid)
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

int proc_table_group(int tid)
{
	int group = proc_group(tid);
	if (group < 0 || group == tid)
		return group;
	return syscall(SYS_kcmp, group, tid, KCMP_FILES, 0, 0) == 0 ? group : -ENOTSUP;
}

int proc_owner(int tid)
{
	char path[64], line[256];
	unsigned real, effective, saved, fs, own = geteuid();
	int owner = -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	FILE *status = fopen(path, "re");
	while (status && owner == -ESRCH && fgets(line, sizeof(line), status))
		if (sscanf(line, "Uid: %u %u %u %u", &real, &effective, &saved, &fs) == 4)
			owner = real == own && effective == own && saved == own && fs == own
					? 0
					: -EPERM;
	if (status)
		fclose(status);
	return owner;
}

uid_t proc_user(int tid)
{
	char path[64], line[256];
	uid_t user = (uid_t)-1;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	FILE *status = fopen(path, "re");
	while (status && user == (uid_t)-1 && fgets(line, sizeof(line), status))
		sscanf(line, "Uid: %*u %*u %*u %u", &user);
	if (status)
		fclose(status);
	return user;
}

int proc_find_socket(int tid, int fd)
{
	char path[64], wanted[64], found[64];
	struct stat stat;
	int number = -ENOENT;
	if (fstat(fd, &stat) < 0)
		return -errno;
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

int proc_find_holder(int except, int fd)
{
	DIR *dir = opendir("/proc");
	uint64_t until = loop_now() + SEARCH;
	int holder = -ENOENT;
	for (struct dirent *entry; dir && holder < 0 && (entry = readdir(dir));) {
		int pid = (int)strtol(entry->d_name, NULL, 10);
		if (pid > 0 && pid != getpid() && pid != except && proc_find_socket(pid, fd) >= 0)
			holder = pid;
		else if (loop_now() > until)
			break;
	}
	if (dir)
		closedir(dir);
	return holder;
}

int proc_comm(int tid, char name[PROC_COMM])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, name, PROC_COMM);
	if (len <= 0)
		return -ESRCH;
	name[len - 1] = '\0'; /* the newline, or what is too long */
	return (int)len - 1;
}
