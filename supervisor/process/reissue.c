#include "supervisor/process/reissue.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/kernel/seen.h"

#define MAX_DEPTH 4096 /* of processes below each other, should one move while we climb */

/* A small file of /proc: its length, or 0. */
static size_t read_file(const char *path, char *text, size_t size)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	read_file(path, text, sizeof(text));
	const char *rest = strrchr(text, ')'); /* names may have brackets */
	int parent;
	return rest && sscanf(rest, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool is_below_us(pid_t pid)
{
	pid_t own = getpid();
	for (int i = 0; i < MAX_DEPTH && pid > 1 && pid != own; i++)
		pid = parent_of(pid);
	return pid == own;
}

/* Does the thread wait for the answer to a notification? Where the kernel does not name its
 * functions, any thread may that sleeps in a call of such a number. If it was another's call, the
 * kernel starts it again, and nobody notices. */
static bool waits_for_an_answer(pid_t pid, pid_t tid)
{
	char path[64], text[128];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", (int)pid, (int)tid);
	if (read_file(path, text, sizeof(text)) && strcmp(text, "0") != 0)
		return strstr(text, "seccomp") != NULL;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
	return read_file(path, text, sizeof(text)) && isdigit((unsigned char)text[0]) &&
	       seen_held(strtol(text, NULL, 10));
}

/* A thread that is traced already is left to its tracer. Its end, if it ends now, stays to be
 * waited for where it always is. */
static bool interrupt(pid_t tid)
{
	siginfo_t info = {0};
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
		return false;
	bool stopped = ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0;
	while (stopped &&
	       waitid(P_PID, (id_t)tid, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) < 0)
		stopped = errno == EINTR;
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
	return stopped && info.si_code == CLD_TRAPPED;
}

static pid_t number_of(const struct dirent *entry)
{
	return entry->d_name[0] >= '1' && entry->d_name[0] <= '9'
		       ? (pid_t)strtol(entry->d_name, NULL, 10)
		       : 0;
}

static int interrupt_threads(pid_t pid)
{
	char path[64];
	int count = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		pid_t tid = number_of(entry);
		if (tid && waits_for_an_answer(pid, tid))
			count += interrupt(tid);
	}
	if (dir)
		closedir(dir);
	return count;
}

int reissue(void)
{
	int count = 0;
	pid_t own = getpid();
	DIR *dir = opendir("/proc");
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		pid_t pid = number_of(entry);
		if (pid && pid != own && is_below_us(pid))
			count += interrupt_threads(pid);
	}
	if (dir)
		closedir(dir);
	return count;
}
