/* target.h: PROCMAP_QUERY (since 6.11) says what the program itself may do at an address. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"

/* <linux/fs.h> of older distributions has none of this */
struct query {
	uint64_t size, flags, address;
	uint64_t start, end, may, page_size, offset, inode;
	uint32_t major, minor, name_size, build_id_size;
	uint64_t name, build_id;
};
#define QUERY       _IOWR('f', 17, struct query)
#define MAY_READ    1
#define MAY_WRITE   2
#define MAY_EXECUTE 4
#define SHARED      8

static int waits(void *unused)
{
	(void)unused;
	return raise(SIGSTOP);
}

static uint64_t may(int maps, const void *address)
{
	struct query query = {.size = sizeof(query), .address = (uintptr_t)address};
	expect(ioctl(maps, QUERY, &query) == 0, "PROCMAP_QUERY: %s", strerror(errno));
	expect(query.start <= query.address && query.address < query.end, "another mapping");
	return query.may;
}

int main(void)
{
	char path[64];
	believe("PROCMAP_QUERY says whether a program may write at an address");
	if (!kernel_since(6, 11))
		skip("it came with Linux 6.11");
	need_to_look_into_children();
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *own =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(own, page, PROT_READ);
	pid_t pid = start(waits, NULL);
	wait_state(pid, 'T');
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	int maps = open(path, O_RDONLY | O_CLOEXEC);
	expect(maps >= 0, "%s: %s", path, strerror(errno));
	expect(may(maps, own) == MAY_READ, "read-only memory");
	expect(may(maps, own + page) == (MAY_READ | MAY_WRITE), "memory to be written to");
	expect(may(maps, (const void *)(uintptr_t)waits) == (MAY_READ | MAY_EXECUTE), "text");
	munmap(own, 2 * page);
	struct query nothing = {.size = sizeof(nothing), .address = 0};
	int error = error_of(ioctl(maps, QUERY, &nothing));
	expect(error == ENOENT, "where nothing is: %s", strerror(error));
	kill(pid, SIGKILL);
	return it_holds();
}
