/* open.c, recover.c: a process that is non-dumpable can still list its own descriptors in
 * /proc/self/fd and open them again there, which gives an offset of its own. What stands there says
 * what a descriptor is. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static const char *name_of(int fd)
{
	static char name[128];
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(path, name, sizeof(name) - 1);
	expect(len > 0, "%s: %s", path, strerror(errno));
	name[len] = '\0';
	return name;
}

static void names(void)
{
	struct stat stat;
	char wanted[64];
	int fd = tcp_socket(0);
	fstat(fd, &stat);
	snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)stat.st_ino);
	expect(strcmp(name_of(fd), wanted) == 0, "a socket is %s", name_of(fd));
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	expect(strstr(name_of(fd), "[pidfd]") || strncmp(name_of(fd), "pidfd:", 6) == 0,
	       "a pidfd is %s", name_of(fd));
	fd = epoll_create1(EPOLL_CLOEXEC);
	expect(strstr(name_of(fd), "[eventpoll]"), "an epoll descriptor is %s", name_of(fd));
}

int main(void)
{
	believe("a non-dumpable process can use its own /proc/self/fd, whose names tell");
	char path[64], byte = 0;
	prctl(PR_SET_DUMPABLE, 0);
	DIR *dir = opendir("/proc/self/fd");
	expect(dir && readdir(dir), "/proc/self/fd: %s", strerror(errno));
	closedir(dir);
	int file = memfd_create("hosts", MFD_CLOEXEC);
	expect(write(file, "x", 1) == 1, "memfd: %s", strerror(errno));
	expect(strncmp(name_of(file), "/memfd:hosts", 12) == 0, "a memfd is %s", name_of(file));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	int again = open(path, O_RDONLY | O_CLOEXEC);
	expect(again >= 0, "%s: %s", path, strerror(errno));
	expect(read(again, &byte, 1) == 1 && byte == 'x', "it has no offset of its own");
	expect(write(again, "x", 1) < 0 && errno == EBADF, "it can be written");
	names();
	return it_holds();
}
