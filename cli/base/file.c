#include "cli/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "cli/base/private.h"

#define LOCK_POLL_NS (20 * 1000 * 1000)
#define SUFFIX       ".XXXXXX"
#define TRIED_BYTES  4096

char *file_home(void)
{
	const char *home = getenv("HOME");
	if (home && *home)
		return strdup(home);
	errno = 0;
	const struct passwd *pw = getpwuid(getuid());
	if (!pw || !pw->pw_dir || !*pw->pw_dir) {
		errno = errno ? errno : ENOENT;
		return NULL;
	}
	return strdup(pw->pw_dir);
}

int file_make_folder(const char *path)
{
	cleanup_free char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	for (char *at = copy + 1; *copy; at++) {
		if (*at != '/' && *at)
			continue;
		char end = *at;
		*at = '\0';
		mode_t mask = umask(077); /* with a stricter umask we could not use the folder */
		int err = mkdir(copy, 0700) < 0 ? errno : 0;
		umask(mask);
		if (err && err != EEXIST) {
			/* A parent folder may exist though we may not look into it. */
			if (!end || (err != EACCES && err != EROFS && err != EPERM))
				return -err;
		}
		if (!end)
			break;
		*at = end;
	}
	struct stat st;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int check_private(int fd, off_t *size)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*size = st.st_size;
	return private_check_file(fd, &st);
}

static int read_all(int fd, char *data, size_t max, size_t *len)
{
	for (*len = 0; *len < max;) {
		ssize_t n = read(fd, data + *len, max - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		*len += (size_t)n;
	}
	return -EFBIG;
}

int file_open_private(const char *path, off_t *size)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	int err = check_private(fd, size);
	if (err)
		return err;
	int taken = fd;
	fd = -1;
	return taken;
}

int file_read_opened(int fd, off_t size, size_t max, char **data, size_t *len)
{
	if (size < 0 || (size_t)size > max)
		return -EFBIG;
	*data = calloc(1, (size_t)size + 2);
	if (!*data)
		return -ENOMEM;
	/* Read one byte more than its size, to notice a file that grows meanwhile. */
	int err = read_all(fd, *data, (size_t)size + 1, len);
	if (err) {
		file_wipe(*data, *len);
		*data = NULL;
	}
	return err;
}

int file_read_private(const char *path, size_t max, char **data, size_t *len)
{
	off_t size;
	cleanup_fd int fd = file_open_private(path, &size);
	return fd < 0 ? fd : file_read_opened(fd, size, max, data, len);
}

void file_wipe(char *data, size_t len)
{
	if (data)
		explicit_bzero(data, len);
	free(data);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* "<folder>/.<name>" and tail: the path of a file that accompanies path. */
static char *beside(const char *path, const char *tail)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path) + 1 : 0;
	char *out = NULL;
	return asprintf(&out, "%.*s.%s%s", folder, path, path + folder, tail) < 0 ? NULL : out;
}

static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	cleanup_free char *folder = len ? strndup(path, len) : strdup(slash ? "/" : ".");
	if (!folder)
		return -ENOMEM;
	cleanup_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Some network file systems cannot sync a folder and return EINVAL. */
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* Give the finished file its name, which it must not take from another where fresh. Where the file
 * system has no hard links, only renameat2() can tell (NFS has links, and not that). */
static int place(const char *temp, const char *path, bool fresh)
{
	if (!fresh)
		return rename(temp, path) < 0 ? -errno : 0;
	if (link(temp, path) == 0) {
		unlink(temp);
		return 0;
	}
	if (errno != EPERM && errno != EOPNOTSUPP)
		return -errno;
	return renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int write_file(const char *path, const char *data, size_t len, bool fresh)
{
	cleanup_free char *temp = beside(path, SUFFIX);
	if (!temp)
		return -ENOMEM;
	int fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int err = fchmod(fd, 0600) < 0 ? -errno : write_all(fd, data, len);
	/* NFS reports a full disk at close(). */
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err)
		err = place(temp, path, fresh);
	if (err) {
		unlink(temp);
		return err;
	}
	/* The new file is in place: a folder that cannot be synced is no reason to undo that. */
	sync_folder(path);
	return 0;
}

int file_replace(const char *path, const char *data, size_t len)
{
	return write_file(path, data, len, false);
}

int file_create(const char *path, const char *data, size_t len)
{
	return write_file(path, data, len, true);
}

int file_try_replace(const char *path)
{
	static const char filler[TRIED_BYTES];
	cleanup_free char *temp = beside(path, SUFFIX);
	if (!temp)
		return -ENOMEM;
	int fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, filler, sizeof(filler));
	int err = n < 0 ? -errno : n < (ssize_t)sizeof(filler) ? -ENOSPC : 0;
	if (close(fd) < 0 && !err)
		err = -errno;
	unlink(temp);
	return err;
}

void file_sweep(const char *path)
{
	cleanup_free char *temp = beside(path, ".");
	if (!temp)
		return;
	char *slash = strrchr(temp, '/');
	const char *start = slash ? slash + 1 : temp;
	size_t len = strlen(start);
	cleanup_free char *folder = slash ? strndup(temp, (size_t)(slash - temp) + 1) : strdup(".");
	DIR *dir = folder ? opendir(folder) : NULL;
	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strncmp(entry->d_name, start, len) == 0 &&
		    strlen(entry->d_name) == len + strlen(SUFFIX) - 1)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

/* Whether the name still refers to fd: a cleanup may have removed the file. */
static int still_there(int fd, const char *path)
{
	struct stat ours, theirs;
	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

/* One try: a descriptor that holds the lock, or -EAGAIN, or -errno. */
static int try_lock(const char *path)
{
	mode_t mask = umask(077);
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	umask(mask);
	if (fd < 0)
		return -errno;
	/* This lock belongs to the open file, not the process, and works over NFS, unlike old
	 * flock(). */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	if (!still_there(fd, path))
		return -EAGAIN;
	int held = fd;
	fd = -1;
	return held;
}

int file_lock(const char *path, long long ms, bool (*tick)(void), int *waited)
{
	long long end = clock_ms() + ms;
	for (*waited = 0;; *waited = 1) {
		int fd = try_lock(path);
		if (fd != -EAGAIN)
			return fd;
		if (clock_ms() >= end)
			return -ETIMEDOUT;
		if (tick && !tick())
			return -EINTR;
		nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_NS}, NULL);
	}
}

void file_unlink_lock(const char *path)
{
	unlink(path);
}

void file_reserve_standard(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			/* open() takes the lowest number. Writing to a closed stdout must fail,
			 * not get lost. */
			open("/dev/null", (fd == 1 ? O_RDONLY : O_RDWR) | O_CLOEXEC);
}
