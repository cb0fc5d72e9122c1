#include "cli/connections/owners.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"

static int compare(const void *a, const void *b)
{
	const struct holding *one = a, *other = b;
	if (one->inode != other->inode)
		return one->inode < other->inode ? -1 : 1;
	return one->process < other->process ? -1 : one->process > other->process;
}

/* Memory for one more: doubles. */
static int add_holding(struct owners *owners, uint32_t inode, uint32_t process)
{
	if (owners->holdings_count == owners->holdings_room) {
		size_t room = owners->holdings_room ? 2 * owners->holdings_room : 256;
		void *more = reallocarray(owners->holdings, room, sizeof(*owners->holdings));
		if (!more)
			return -ENOMEM;
		owners->holdings = more;
		owners->holdings_room = room;
	}
	owners->holdings[owners->holdings_count++] = (struct holding){inode, process};
	return 0;
}

static int add_process(struct owners *owners, int folder, pid_t pid)
{
	void *more = reallocarray(owners->processes, owners->processes_count + 1,
				  sizeof(*owners->processes));
	if (!more)
		return -ENOMEM;
	owners->processes = more;
	struct owner *owner = &owners->processes[owners->processes_count++];
	*owner = (struct owner){.pid = pid};
	cleanup_fd int fd = openat(folder, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, owner->name, sizeof(owner->name) - 1);
	if (got > 0 && owner->name[got - 1] == '\n')
		owner->name[got - 1] = '\0';
	return 0;
}

static int add_sockets(struct owners *owners, DIR *fds, uint32_t process)
{
	int err = 0;
	for (struct dirent *entry; !err && (entry = readdir(fds));) {
		char target[64];
		unsigned long inode;
		ssize_t got = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
		target[got > 0 ? got : 0] = '\0';
		if (strncmp(target, "socket:[", 8) == 0 &&
		    (inode = strtoul(target + 8, NULL, 10)) <= UINT32_MAX)
			err = add_holding(owners, (uint32_t)inode, process);
	}
	return err;
}

/* A process that ends meanwhile, or that may not be inspected, has none. */
static int add(struct owners *owners, int proc, const char *name)
{
	size_t before = owners->holdings_count;
	cleanup_fd int folder = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd =
		folder < 0 ? -1 : openat(folder, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *fds = fd < 0 ? NULL : fdopendir(fd);
	if (!fds)
		return 0;
	steal_fd(&fd);
	int err = add_sockets(owners, fds, (uint32_t)owners->processes_count);
	closedir(fds);
	if (!err && owners->holdings_count > before)
		err = add_process(owners, folder, (pid_t)strtol(name, NULL, 10));
	const struct owner *last = owners->processes + owners->processes_count - 1;
	if (!err && owners->holdings_count > before && strncmp(last->name, "gs-", 3) == 0)
		owners->holdings_count = before;
	return err;
}

int owners_init(struct owners *owners)
{
	*owners = (struct owners){0};
	DIR *proc = opendir("/proc");
	if (!proc)
		return -errno;
	int err = 0;
	for (struct dirent *entry; !err && (entry = readdir(proc));)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			err = add(owners, dirfd(proc), entry->d_name);
	closedir(proc);
	if (err)
		owners_finish(owners);
	else if (owners->holdings_count)
		qsort(owners->holdings, owners->holdings_count, sizeof(*owners->holdings), compare);
	return err;
}

void owners_finish(struct owners *owners)
{
	free(owners->processes);
	free(owners->holdings);
	*owners = (struct owners){0};
}

const struct owner *owners_find(const struct owners *owners, uint32_t inode)
{
	size_t low = 0, high = owners->holdings_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (owners->holdings[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	if (!inode || low == owners->holdings_count || owners->holdings[low].inode != inode)
		return NULL;
	return &owners->processes[owners->holdings[low].process];
}
