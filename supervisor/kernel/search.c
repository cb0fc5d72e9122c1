#include "supervisor/kernel/search.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/base/loop.h"
#include "supervisor/kernel/proc.h"

#define REST 10 /* as many times as it took, before the next one */

struct wanted {
	uint64_t inode;
	uint32_t conn, gen;
};

struct hunt {
	struct state *state;
	struct wanted *wanted;
	size_t count;
	pid_t supervisor; /* it has them all */
};

static int compare(const void *a, const void *b)
{
	uint64_t x = ((const struct wanted *)a)->inode, y = ((const struct wanted *)b)->inode;
	return x < y ? -1 : x > y;
}

static void begin(struct hunt *hunt)
{
	struct state *state = hunt->state;
	for (uint32_t i = 0; i < state->conn_pool.top; i++) {
		struct conn *conn = &state->conns[i];
		if (!conn->slot.used || conn->search != SEARCH_WANTED)
			continue;
		conn->search = SEARCH_RUNNING;
		hunt->wanted[hunt->count++] = (struct wanted){conn->inode, i, conn->slot.gen};
	}
	qsort(hunt->wanted, hunt->count, sizeof(*hunt->wanted), compare);
}

/* The conn may have gone meanwhile; the supervisor looks at it when we are done. */
static struct conn *still(const struct hunt *hunt, const struct wanted *wanted)
{
	struct conn *conn = &hunt->state->conns[wanted->conn];
	return conn->slot.used && conn->slot.gen == wanted->gen && conn->search == SEARCH_RUNNING
		       ? conn
		       : NULL;
}

static void look_at(const struct hunt *hunt, int pid, const char *number, const char *link)
{
	struct wanted key = {0};
	if (!proc_socket_inode(link, &key.inode))
		return;
	const struct wanted *found = bsearch(&key, hunt->wanted, hunt->count, sizeof(key), compare);
	struct conn *conn = found ? still(hunt, found) : NULL;
	if (!conn)
		return;
	conn->tid = conn->group = pid;
	conn->number = (int)strtol(number, NULL, 10);
	conn->search = SEARCH_FOUND;
}

static void look_into(const struct hunt *hunt, int pid)
{
	char path[64], link[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = '\0';
		look_at(hunt, pid, entry->d_name, link);
	}
	if (dir)
		closedir(dir);
}

/* Keeper, supervisor and those beside them have one table, which is ours. */
static bool is_ours(int pid)
{
	return pid == getpid() || pid == getppid() || proc_same_table(pid);
}

void search_holders(struct state *state)
{
	struct hunt hunt = {.state = state, .wanted = calloc(MAX_CONNS, sizeof(*hunt.wanted))};
	uint64_t began = loop_now();
	DIR *dir = opendir("/proc");
	if (hunt.wanted)
		begin(&hunt);
	for (struct dirent *entry; dir && hunt.count && (entry = readdir(dir));) {
		int pid = (int)strtol(entry->d_name, NULL, 10);
		if (pid > 0 && !is_ours(pid))
			look_into(&hunt, pid);
	}
	if (dir)
		closedir(dir);
	for (size_t i = 0; i < hunt.count; i++) {
		struct conn *conn = still(&hunt, &hunt.wanted[i]);
		if (conn)
			conn->search = dir ? SEARCH_NOBODY : SEARCH_WANTED;
	}
	state->search_after = loop_now() + REST * (loop_now() - began);
	free(hunt.wanted);
}
