/*
 * Opens of /etc/hosts. Some programs have a resolver of their own, which reads that file (c-ares,
 * eventlet); the supervisor knows what of it they are to get (supervisor/dispatch/open.c). All that
 * is done for other files is to compare their names.
 */

#undef _FILE_OFFSET_BITS /* or open() would be another name of open64() */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/control.h"
#include "shim/next.h"

typedef int open_fn(const char *path, int flags, ...);
typedef int open_2_fn(const char *path, int flags);
/* What open() becomes in programs that are compiled with _FORTIFY_SOURCE. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags);

typedef FILE *fopen_fn(const char *path, const char *mode);

#if UINTPTR_MAX == UINT32_MAX
#define HIGHEST (UINTPTR_MAX - 4096)
#elif defined(__x86_64__)
#define HIGHEST (UINTPTR_MAX >> 17)
#else
#define HIGHEST (UINTPTR_MAX >> 16)
#endif

/* What can be no address is the kernel's to refuse. */
static bool is_hosts(const char *path)
{
	uintptr_t address = (uintptr_t)path;
	bool sound = address >= 4096 && address <= HIGHEST;
	return sound && path[0] == '/' && path[1] == 'e' && strcmp(path, "/etc/hosts") == 0;
}

/* A descriptor, -1 and errno, or UNANSWERED: libc is to open it. Nobody watches: then the kernel
 * opens it here. */
#define UNANSWERED (-2)
static int ask_for_hosts(int flags)
{
	int saved = errno, fd;
	do
		fd = (int)syscall(SYS_openat, QUESTION_FD, "/etc/hosts", flags, 0);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0 || errno == EBADF) {
		fd = fd < 0 ? UNANSWERED : fd;
		errno = saved;
	}
	return fd;
}

static bool only_reads(int flags)
{
	return (flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_DIRECTORY)) == O_RDONLY;
}

static int open_as(struct next *self, const char *path, int flags, int mode)
{
	open_fn *next = (open_fn *)next_find(self);
	int fd = is_hosts(path) && only_reads(flags) ? ask_for_hosts(flags) : UNANSWERED;
	if (fd != UNANSWERED)
		return fd;
	if (next)
		return next(path, flags, mode);
	errno = ENOSYS;
	return -1;
}

static int mode_of(int flags, va_list arguments)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, int) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
	static struct next self = {"open", NULL};
	va_list arguments;
	va_start(arguments, flags);
	int mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_as(&self, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
	static struct next self = {"open64", NULL};
	va_list arguments;
	va_start(arguments, flags);
	int mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_as(&self, path, flags, mode);
}

static int open_2_as(struct next *self, const char *path, int flags)
{
	open_2_fn *next = (open_2_fn *)next_find(self);
	int fd = is_hosts(path) && only_reads(flags) ? ask_for_hosts(flags) : UNANSWERED;
	if (fd != UNANSWERED)
		return fd;
	if (next)
		return next(path, flags);
	errno = ENOSYS;
	return -1;
}

int __open_2(const char *path, int flags)
{
	static struct next self = {"__open_2", NULL};
	return open_2_as(&self, path, flags);
}

int __open64_2(const char *path, int flags)
{
	static struct next self = {"__open64_2", NULL};
	return open_2_as(&self, path, flags);
}

static FILE *fopen_as(struct next *self, const char *path, const char *mode)
{
	fopen_fn *next = (fopen_fn *)next_find(self);
	if (is_hosts(path) && mode && mode[0] == 'r' && !strchr(mode, '+') && fdopen) {
		int fd = ask_for_hosts(O_RDONLY | (strchr(mode, 'e') ? O_CLOEXEC : 0));
		FILE *file = fd >= 0 ? fdopen(fd, mode) : NULL;
		if (file || fd != UNANSWERED) {
			if (!file && fd >= 0)
				syscall(SYS_close, fd);
			return file;
		}
	}
	if (next)
		return next(path, mode);
	errno = ENOSYS;
	return NULL;
}

EXPORT FILE *fopen(const char *restrict path, const char *restrict mode)
{
	static struct next self = {"fopen", NULL};
	return fopen_as(&self, path, mode);
}

EXPORT FILE *fopen64(const char *restrict path, const char *restrict mode)
{
	static struct next self = {"fopen64", NULL};
	return fopen_as(&self, path, mode);
}
