#ifndef GS_OWNERS_H
#define GS_OWNERS_H

/* Which process has a socket: by /proc/PID/fd of the processes that this user may inspect. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct owner {
	pid_t pid;
	char name[16]; /* as the process has it: any bytes */
};

struct owners {
	struct owner *processes;
	size_t processes_count;
	struct holding {
		uint32_t inode;
		uint32_t process;
	} * holdings; /* sorted by inode */
	size_t holdings_count, holdings_room;
};

/* Look at all processes: 0, to be finished, or -ENOMEM or what /proc says. Processes of the tool
 * itself are left out. */
int owners_init(struct owners *owners);
void owners_finish(struct owners *owners);

/* The process that has the socket, of several the one with the least id; NULL: none that may be
 * inspected. It belongs to owners. */
const struct owner *owners_find(const struct owners *owners, uint32_t inode);

#endif
