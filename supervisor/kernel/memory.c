#include "supervisor/kernel/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "supervisor/base/fd.h"

/* <linux/fs.h> of Linux 6.11 */
struct map_query {
	uint64_t size, flags, address;
	uint64_t start, end, vma_flags, page_size, offset, inode;
	uint32_t major, minor, name_size, build_id_size;
	uint64_t name, build_id;
};
#define MAP_QUERY          _IOWR('f', 17, struct map_query)
#define MAP_QUERY_WRITABLE 0x02

#define LONGEST_LINE 128 /* of maps, up to where its path begins */

static int open_file(int tid, const char *name, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : errno == EACCES ? -EPERM : -errno;
	return fd;
}

int memory_open(struct memory *memory, int tid)
{
	memory->maps = -1;
	memory->mem = open_file(tid, "mem", O_WRONLY);
	if (memory->mem >= 0)
		memory->maps = open_file(tid, "maps", O_RDONLY);
	return memory->mem < 0 ? memory->mem : memory->maps < 0 ? memory->maps : 0;
}

void memory_close(struct memory *memory)
{
	fd_cleanup(&memory->mem);
	fd_cleanup(&memory->maps);
}

int memory_is_of(int notify_fd, uint64_t id)
{
	return ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0 ? -errno : 0;
}

/* --- what is mapped there --- */

/* One line: "start-end rwxp …". */
static bool is_writable_line(const char *line, uint64_t address, uint64_t *end)
{
	unsigned long long from, to;
	char flags[8];
	if (sscanf(line, "%llx-%llx %4s", &from, &to, flags) != 3 || address < from ||
	    address >= to || flags[1] != 'w')
		return false;
	*end = to;
	return true;
}

/* By reading all of the text: no memory is asked for here. */
static int by_text(int maps, uint64_t address, uint64_t *end)
{
	char text[4096], line[LONGEST_LINE];
	size_t len = 0;
	if (lseek(maps, 0, SEEK_SET) < 0)
		return -errno;
	for (ssize_t got; (got = read(maps, text, sizeof(text))) > 0;) {
		for (ssize_t i = 0; i < got; i++) {
			if (text[i] != '\n') {
				if (len < sizeof(line) - 1)
					line[len++] = text[i];
				continue;
			}
			line[len] = '\0';
			if (is_writable_line(line, address, end))
				return 0;
			len = 0;
		}
	}
	return -EFAULT;
}

/* Where the writable mapping that holds the address ends: 0 or -EFAULT. */
static int find_end(int maps, uint64_t address, uint64_t *end)
{
	struct map_query query = {
		.size = sizeof(query), .flags = MAP_QUERY_WRITABLE, .address = address};
	if (ioctl(maps, MAP_QUERY, &query) == 0) {
		*end = query.end;
		return 0;
	}
	return errno == ENOTTY || errno == EINVAL ? by_text(maps, address, end) : -EFAULT;
}

/* A program that changes it in between has only itself to blame: it was its own a moment ago. */
static int check(int maps, uint64_t address, uint32_t len)
{
	uint64_t end, last = address + len;
	if (last < address || last > INT64_MAX)
		return -EFAULT;
	while (address < last) {
		int err = find_end(maps, address, &end);
		if (err < 0)
			return err;
		address = end;
	}
	return 0;
}

int memory_write(const struct memory *memory, uint64_t address, const void *data, uint32_t len)
{
	int err = check(memory->maps, address, len);
	if (err < 0)
		return err;
	while (len) {
		ssize_t put = pwrite(memory->mem, data, len, (off_t)address);
		if (put <= 0)
			return -EFAULT;
		data = (const char *)data + put;
		address += (uint64_t)put;
		len -= (uint32_t)put;
	}
	return 0;
}
