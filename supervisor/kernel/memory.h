#ifndef GS_MEMORY_H
#define GS_MEMORY_H

/*
 * A program's memory, held by its file in /proc: what is written reaches the memory that was there
 * when it was opened, whatever has become of the thread's number since (an exec, another process).
 * The kernel writes by this file where the program could not, into text for one (FOLL_FORCE), so
 * the mapping is looked at first: PROCMAP_QUERY (Linux 6.11), else the text of maps, proc(5).
 * Where the memory is a file's of a slow server this waits for it, and no signal ends that.
 */

#include <stdint.h>

struct memory {
	int mem, maps; /* descriptors, or -1 */
};

/* 0 or -errno. To be closed either way. */
int memory_open(struct memory *memory, int tid);
void memory_close(struct memory *memory);

/* Does that notification still wait? Then the memory that was opened before, of its thread, is its
 * program's. 0; -ENOENT: it does not. */
int memory_is_of(int notify_fd, uint64_t id);

/* 0; -EFAULT: not all of it is memory that the program may write. */
int memory_write(const struct memory *memory, uint64_t address, const void *data, uint32_t len);

#endif
