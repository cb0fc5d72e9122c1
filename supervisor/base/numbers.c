#include "supervisor/base/numbers.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/older.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif

#define FEW (4 * OWN_NUMBERS)

static bool filled; /* this process's own */

/* 0 is /dev/null in a keeper. */
void numbers_fill(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < FEW)
		return;
	filled = true;
	int fd;
	do
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	while (fd >= 0 && fd < OWN_NUMBERS);
	if (fd >= 0)
		close(fd);
}

void numbers_close(int fd)
{
	if (fd < 0)
		return;
	if (!filled || fd >= OWN_NUMBERS || dup3(STDIN_FILENO, fd, O_CLOEXEC) < 0)
		close(fd);
}

bool numbers_leave(void)
{
	return syscall(SYS_close_range, OWN_NUMBERS, ~0U, CLOSE_RANGE_UNSHARE) == 0 &&
	       syscall(SYS_close_range, 0, OWN_NUMBERS - 1, 0) == 0;
}
