#include "supervisor/kernel/needs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "protocol/older.h"
#include "supervisor/base/fd.h"
#include "supervisor/kernel/privileges.h"
#include "supervisor/kernel/proc.h"
#include "supervisor/kernel/target.h"

static char word; /* at the same place in the child */

static int pidfd_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : fd;
}

static int try_pidfd_open(pid_t pid)
{
	cleanup_fd int fd = pidfd_open(pid);
	return fd < 0 ? fd : 0;
}

static int try_getfd(pid_t pid, int number)
{
	cleanup_fd int pidfd = pidfd_open(pid);
	if (pidfd < 0)
		return pidfd;
	cleanup_fd int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	return fd < 0 ? -errno : 0;
}

static int try_read(pid_t pid)
{
	char own;
	struct iovec here = {&own, 1}, there = {&word, 1};
	ssize_t moved = process_vm_readv(pid, &here, 1, &there, 1, 0);
	return moved < 0 ? -errno : 0;
}

static int try_kcmp(pid_t pid)
{
	if (target_probe_pidfd_thread())
		return 0;
	return syscall(SYS_kcmp, pid, pid, KCMP_FILES, 0, 0) < 0 ? -errno : 0;
}

static int open_mem(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : 0;
}

/* Without CAP_SYS_PTRACE what is permitted has to be in effect for it. */
static int try_mem(pid_t pid)
{
	int err = open_mem(pid);
	if (err != -EACCES && err != -EPERM)
		return err;
	privileges_raise();
	err = open_mem(pid);
	int dropped = privileges_drop(true);
	return dropped < 0 ? dropped : err;
}

static int try_status(pid_t pid)
{
	int group = proc_group(pid);
	return group < 0 ? group : 0;
}

/* None of these finds a notification; the kernel says so only where it was asked. */
static int try_ioctl(int notify_fd, enum need need)
{
	uint64_t id = 0;
	struct seccomp_notif_addfd addfd = {.srcfd = (uint32_t)notify_fd};
	struct seccomp_notif_resp resp = {0};
	struct seccomp_notif notif = {.id = 1}; /* it has to be zeros */
	int result = need == NEED_VALID   ? ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id)
		     : need == NEED_ADDFD ? ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd)
		     : need == NEED_SEND  ? ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &resp)
					  : ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &notif);
	int wanted = need == NEED_RECEIVE ? EINVAL : ENOENT;
	return result == 0 || errno == wanted ? 0 : -errno;
}

static int try_on(const struct needs *needs, enum need need, pid_t pid)
{
	switch (need) {
	case NEED_PIDFD_OPEN:
		return try_pidfd_open(pid);
	case NEED_PIDFD_GETFD:
		return try_getfd(pid, needs->child_fd);
	case NEED_READ:
		return try_read(pid);
	case NEED_KCMP:
		return try_kcmp(pid);
	case NEED_STATUS:
		return try_status(pid);
	case NEED_MEM:
		return try_mem(pid);
	default:
		return try_ioctl(needs->notify_fd, need);
	}
}

int needs_try_own(enum need need)
{
	const struct needs own = {.child_fd = STDIN_FILENO};
	int err = try_on(&own, need, getpid());
	return err == -EBADF ? 0 : err; /* it was looked for */
}

static int explain(struct needs *needs, enum need need, int err)
{
	bool forbidden = need >= NEED_RECEIVE || need == NEED_MEM || need == NEED_STATUS ||
			 needs_try_own(need) < 0;
	needs->failed = forbidden ? need : NEED_NONE;
	return err;
}

int needs_try(struct needs *needs)
{
	int err = 0;
	enum need need = NEED_NONE;
	while (err == 0 && ++need <= NEED_SEND) {
		if (needs->trying)
			*needs->trying = (uint8_t)need;
		err = try_on(needs, need, needs->child);
	}
	if (err < 0)
		return explain(needs, need, err);
	if (needs->trying)
		*needs->trying = NEED_NONE;
	return 0;
}
