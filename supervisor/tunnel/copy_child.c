/*
 * The child that reads a program's /etc/hosts. First it gives up every right that the program does
 * not have, then it opens the file. It is a fork of the keeper that may have had threads: no
 * malloc, no stdio, and system calls where the C library would ask other threads to join in.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/older.h"
#include "supervisor/base/numbers.h"
#include "supervisor/kernel/privileges.h"
#include "supervisor/tunnel/copy.h"
#include "supervisor/tunnel/copy_reader.h"

#define STATUS_MAX (4096 + NGROUPS_MAX * 11) /* bytes of /proc/TID/status */
#define RETRIES    100                       /* where names on the way are being changed */

/* As our user namespace shows them. */
struct ids {
	uid_t user;
	gid_t group;
	size_t count;
	gid_t groups[NGROUPS_MAX];
};

static char status[STATUS_MAX + 1];
static struct ids wanted, own;
static struct reader reader;

const char *copy_proc_path(const char *before, int number, const char *after)
{
	static char path[64];
	char digits[16];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) && at > 0);
	char *end = stpcpy(path, before);
	end = mempcpy(end, digits + at, sizeof(digits) - at);
	strcpy(end, after);
	return path;
}

/* --- who it is --- */

static int read_status(int tid)
{
	int fd = open(copy_proc_path("/proc/", tid, "/status"), O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got = fd < 0 ? -1 : 1;
	while (got > 0 && len < STATUS_MAX) {
		got = read(fd, status + len, STATUS_MAX - len);
		len += got > 0 ? (size_t)got : 0;
	}
	int err = got == 0 ? 0 : got < 0 ? -errno : -E2BIG;
	if (fd >= 0)
		close(fd);
	status[len] = '\0';
	return err;
}

/* The next number of a line; *line moves behind it. False: there is none. */
static bool next_number(const char **line, unsigned *number)
{
	char *end;
	const char *at = *line + strspn(*line, " \t");
	if (*at < '0' || *at > '9')
		return false;
	*number = (unsigned)strtoul(at, &end, 10);
	*line = end;
	return true;
}

/* real, effective, saved, and that which files are opened with */
static bool read_fs_id(const char *name, unsigned *id)
{
	const char *line = strstr(status, name);
	bool there = line != NULL;
	if (there)
		line += strlen(name);
	for (int i = 0; there && i < 4; i++)
		there = next_number(&line, id);
	return there;
}

static int read_ids(int tid)
{
	int err = read_status(tid);
	if (err < 0)
		return err;
	const char *groups = strstr(status, "\nGroups:");
	if (!groups || !read_fs_id("\nUid:", &wanted.user) || !read_fs_id("\nGid:", &wanted.group))
		return -EIO;
	groups += strlen("\nGroups:");
	while (wanted.count < NGROUPS_MAX && next_number(&groups, &wanted.groups[wanted.count]))
		wanted.count++;
	return 0;
}

static bool has_group(const struct ids *ids, gid_t group)
{
	for (size_t i = 0; i < ids->count; i++)
		if (ids->groups[i] == group)
			return true;
	return ids->group == group;
}

/* Are we what is wanted, or less than that? */
static bool are_no_more(void)
{
	int count = getgroups(NGROUPS_MAX, own.groups);
	if (count < 0 || geteuid() != wanted.user || getegid() != wanted.group)
		return false;
	for (int i = 0; i < count; i++)
		if (!has_group(&wanted, own.groups[i]))
			return false;
	return true;
}

static int take_ids(void)
{
	if (are_no_more())
		return 0;
	if (syscall(SYS_setgroups, wanted.count, wanted.groups) < 0 ||
	    syscall(SYS_setresgid, wanted.group, wanted.group, wanted.group) < 0 ||
	    syscall(SYS_setresuid, wanted.user, wanted.user, wanted.user) < 0)
		return -errno;
	return 0;
}

/* The signal is asked for last: a change of ids takes it back. The keeper may have ended before. */
static int become(int tid, pid_t keeper)
{
	int err = read_ids(tid);
	if (err == 0)
		err = take_ids();
	if (err == 0)
		err = privileges_none();
	if (err == 0 && (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0))
		err = -errno;
	return err == 0 && getppid() != keeper ? -ESRCH : err;
}

/* --- the file --- */

static int open_in(int root, int flags)
{
	/* a link to one of our own descriptors leads nowhere */
	struct open_how how = {.flags = (uint64_t)(O_PATH | O_CLOEXEC | (flags & O_NOFOLLOW)),
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd = -1;
	for (int i = 0; i < RETRIES && fd < 0; i++) {
		fd = (int)syscall(SYS_openat2, root, "etc/hosts", &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* In /proc, which always tells what it is, a file of "self" would be ours. */
static bool is_plain(int fd)
{
	struct stat stat;
	struct statfs fs;
	return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
	       (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC);
}

static int read_all(int fd, struct copy_area *area)
{
	char more;
	for (;;) {
		bool full = area->len == area->most;
		ssize_t got = read(fd, full ? &more : area->text + area->len,
				   full ? 1 : area->most - area->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		if (full)
			return -EFBIG;
		area->len += (size_t)got;
	}
}

/* A file that is not there, or not for the program, is as good as an empty one: our names are given
 * all the same, or programs in small roots would go to the real hosts. */
static int without(int error)
{
	return error == -ENOENT || error == -EACCES ? 0 : COPY_PASS;
}

static int copy_file(int root, int flags, struct copy_area *area)
{
	int path = open_in(root, flags);
	if (path < 0)
		return without(path);
	if (!is_plain(path))
		return COPY_PASS;
	/* what was looked at, and nothing that may be at that name by now */
	int fd = open(copy_proc_path("/proc/self/fd/", path, ""),
		      O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (flags & ~O_NOFOLLOW));
	return fd < 0 ? without(-errno) : read_all(fd, area);
}

/* Where the program cannot be inspected or become, its file stays closed. */
_Noreturn void copy_child(int tid, int flags, struct copy_area *area, pid_t keeper)
{
	size_t before = area->len;
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "gs-hosts");
	if (!numbers_leave() || privileges_raise() < 0)
		_exit(1);
	int root = open(copy_proc_path("/proc/", tid, "/root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	reader_look(&reader, tid);
	int result = 0;
	if (root >= 0 && become(tid, keeper) == 0)
		result = reader_is_editor(&reader, tid) ? COPY_PASS : copy_file(root, flags, area);
	area->note->len = result == 0 ? area->len : before;
	area->note->result = result;
	_exit(0);
}
