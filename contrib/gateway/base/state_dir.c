#include "contrib/gateway/base/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contrib/gateway/base/cleanup.h"

static int check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH) ? -EPERM : 0;
}

static int take_lock(int dir)
{
	cleanup_fd int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return steal_fd(&fd);
}

int state_dir_open(struct state_dir *dir, const char *path)
{
	cleanup_fd int fd = -1;
	int error;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = check_owner(fd);
	if (error)
		return error;
	dir->lock = take_lock(fd);
	if (dir->lock < 0)
		return dir->lock;
	dir->path = path;
	dir->fd = steal_fd(&fd);
	return 0;
}

void state_dir_close(struct state_dir *dir)
{
	close(dir->fd);
	close(dir->lock);
}

static int read_all(int fd, char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = read(fd, text + done, len - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO;
		done += (size_t)got;
	}
	text[len] = '\0';
	return 0;
}

int state_dir_read(const struct state_dir *dir, const char *name, char **text, size_t *len)
{
	cleanup_fd int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int error;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > STATE_FILE_MAX)
		return -EFBIG;
	*len = (size_t)st.st_size;
	*text = malloc(*len + 1);
	if (!*text)
		return -ENOMEM;
	error = read_all(fd, *text, *len);
	if (error)
		free(steal_pointer(*text));
	return error;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, text, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		text += put;
		len -= (size_t)put;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_beside(int dir, const char *name, const char *text, size_t len)
{
	cleanup_fd int fd = -1;
	int error;

	unlinkat(dir, name, 0); /* left by one that was killed */
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	error = write_all(fd, text, len);
	if (error)
		unlinkat(dir, name, 0);
	return error;
}

int state_dir_write(const struct state_dir *dir, const char *name, const char *text, size_t len)
{
	char beside[64];
	int error;

	snprintf(beside, sizeof(beside), "%s.new", name);
	error = write_beside(dir->fd, beside, text, len);
	if (error)
		return error;
	if (renameat(dir->fd, beside, dir->fd, name) < 0) {
		error = -errno;
		unlinkat(dir->fd, beside, 0);
		return error;
	}
	return fsync(dir->fd) < 0 ? -errno : 0;
}

void state_dir_remove(const struct state_dir *dir, const char *name)
{
	unlinkat(dir->fd, name, 0);
}
