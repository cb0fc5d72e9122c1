#include "supervisor/kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/base/loop.h"

#define GENERATIONS 256
#define SEARCH      (20 * MILLISECOND)

#define STATUS 4096 /* bytes of /proc/TID/status: more than it has up to the ids */

/* A small file of a thread's: its length, or -ESRCH. */
static int read_file(int tid, const char *name, char *text, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
	if (got < 0)
		return -ESRCH;
	text[got] = '\0';
	return (int)got;
}

/* The numbers behind "key:" in status: how many there are of count, or -ESRCH. */
static int read_status(int tid, const char *key, unsigned *numbers, int count)
{
	char text[STATUS];
	int err = read_file(tid, "status", text, sizeof(text));
	if (err < 0)
		return err;
	const char *at = strstr(text, key);
	int found = 0;
	for (char *end; at && found < count; at = end, found++) {
		if (found == 0)
			at += strlen(key);
		numbers[found] = (unsigned)strtoul(at, &end, 10);
		if (end == at)
			break;
	}
	return found ? found : -ESRCH;
}

int proc_group(int tid)
{
	unsigned group;
	return read_status(tid, "\nTgid:", &group, 1) == 1 ? (int)group : -ESRCH;
}

/* What is cached of the file will do: its server is not asked, and cannot have us wait. */
int proc_caller(int tid, struct proc_caller *caller)
{
	char path[64];
	struct statx file;
	*caller = (struct proc_caller){.group = proc_group(tid)};
	snprintf(path, sizeof(path), "/proc/%d/exe", tid);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &file) == 0)
		caller->executable = (struct executable){
			.device = (uint64_t)file.stx_dev_major << 32 | file.stx_dev_minor,
			.inode = file.stx_ino};
	return caller->group < 0 ? caller->group : (int)sizeof(*caller);
}

/* The process of a thread and that one's parent: 0 or -ESRCH. */
static int parent_of(int tid, int *group, int *parent)
{
	char path[64], line[256];
	int found = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	FILE *status = fopen(path, "re");
	while (status && found < 2 && fgets(line, sizeof(line), status))
		found += sscanf(line, "Tgid: %d", group) == 1 ||
			 sscanf(line, "PPid: %d", parent) == 1;
	if (status)
		fclose(status);
	return found == 2 ? 0 : -ESRCH;
}

static bool in_list(const struct program *program, uint32_t count, int pid)
{
	for (uint32_t i = 0; i < count; i++)
		if (program->told[i] == pid)
			return true;
	return false;
}

/* A line of descent that does not lead to the command, but to who adopts orphans, may have come
 * from anybody. */
int proc_told(const struct state *state, int tid, uint32_t index)
{
	if (index >= MAX_PROGRAMS)
		return 1;
	const struct program *program = &state->programs[index];
	uint32_t count = *(const volatile uint32_t *)&program->told_count;
	if (count > TOLD_MAX)
		return 1;
	int group, parent;
	for (int depth = 0; depth < GENERATIONS && tid > 1; depth++, tid = parent) {
		if (parent_of(tid, &group, &parent) < 0 || in_list(program, count, group))
			return 1;
		if (group == program->command)
			return 0;
	}
	return 1;
}

int proc_parent(int tid)
{
	unsigned parent;
	return read_status(tid, "\nPPid:", &parent, 1) == 1 ? (int)parent : -ESRCH;
}

int proc_table_group(int tid)
{
	int group = proc_group(tid);
	if (group < 0 || group == tid)
		return group;
	return syscall(SYS_kcmp, group, tid, KCMP_FILES, 0, 0) == 0 ? group : -ENOTSUP;
}

bool proc_same_table(int pid)
{
	return syscall(SYS_kcmp, getpid(), pid, KCMP_FILES, 0, 0) == 0;
}

/* real, effective, saved, and of files */
/* Is the thread in our namespace of that kind (namespaces(7))? 1: yes; 0: no; or -errno. */
static int shares(int tid, const char *kind)
{
	char ours[64], path[64];
	struct stat own, its;
	snprintf(ours, sizeof(ours), "/proc/thread-self/ns/%s", kind);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", tid, kind);
	if (stat(ours, &own) < 0 || stat(path, &its) < 0)
		return -errno;
	return own.st_dev == its.st_dev && own.st_ino == its.st_ino;
}

/* Root of a container may have our id, but neither our rights nor our files. */
int proc_owner(int tid)
{
	unsigned ids[4], own = geteuid();
	if (read_status(tid, "\nUid:", ids, 4) != 4)
		return -ESRCH;
	for (int i = 0; i < 4; i++)
		if (ids[i] != own)
			return -EPERM;
	if (shares(tid, "user") != 1 || (own == 0 && shares(tid, "mnt") != 1))
		return -EPERM;
	return 0;
}

int proc_uid(int tid)
{
	unsigned ids[4];
	return read_status(tid, "\nUid:", ids, 4) == 4 ? (int)ids[3] : -ESRCH;
}

char proc_state(int tid)
{
	char text[512];
	if (read_file(tid, "stat", text, sizeof(text)) < 0)
		return 0;
	const char *rest = strrchr(text, ')'); /* names may have brackets */
	return rest && rest[1] == ' ' ? rest[2] : 0;
}

int proc_ptrace_scope(void)
{
	char text[16] = "";
	cleanup_fd int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

bool proc_socket_inode(const char *link, uint64_t *inode)
{
	static const char prefix[] = "socket:[";
	if (strncmp(link, prefix, sizeof(prefix) - 1) != 0)
		return false;
	*inode = strtoull(link + sizeof(prefix) - 1, NULL, 10);
	return true;
}

struct entry { /* getdents64(2) */
	uint64_t inode, offset;
	uint16_t len;
	uint8_t type;
	char name[];
};

static bool links_to(int dir, const char *name, uint64_t inode)
{
	char link[64];
	uint64_t found;
	ssize_t len = readlinkat(dir, name, link, sizeof(link) - 1);
	link[len > 0 ? len : 0] = '\0';
	return proc_socket_inode(link, &found) && found == inode;
}

int proc_find_socket(int tid, int fd)
{
	char path[64];
	_Alignas(struct entry) char entries[8192];
	struct stat stat;
	uint64_t until = loop_now() + SEARCH;
	if (fstat(fd, &stat) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -ENOENT;
	for (long got; loop_now() < until &&
		       (got = syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0;)
		for (long at = 0; at < got;) {
			const struct entry *entry = (const void *)(entries + at);
			if (links_to(dir, entry->name, stat.st_ino))
				return (int)strtol(entry->name, NULL, 10);
			at += entry->len;
		}
	return -ENOENT;
}

int proc_comm(int tid, char name[PROC_COMM])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, name, PROC_COMM);
	if (len <= 0)
		return -ESRCH;
	name[len - 1] = '\0'; /* the newline, or what is too long */
	return (int)len - 1;
}

int proc_network(int tid)
{
	return shares(tid, "net");
}
