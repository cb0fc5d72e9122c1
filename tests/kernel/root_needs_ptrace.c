/* privileges.c: root without CAP_SYS_PTRACE may not look into a program that has more rights than
 * it; with that one capability it may, and where it is permitted as much, though nothing is in
 * effect. The files of a program in /proc are for those in whom it is in effect. */

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

static long word;

static int stop(void *arg)
{
	(void)arg;
	raise(SIGSTOP);
	return 0;
}

static void keep(uint32_t effective, uint32_t permitted)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{effective, permitted, 0}};
	expect(syscall(SYS_capset, &header, data) == 0, "capset: %s", strerror(errno));
}

static int look(pid_t pid)
{
	long read;
	return read_word(pid, &word, &read);
}

static int look_with_none(void *arg)
{
	keep(0, 0);
	return look(*(pid_t *)arg);
}

static int look_with_ptrace(void *arg)
{
	keep(CAP_TO_MASK(CAP_SYS_PTRACE), CAP_TO_MASK(CAP_SYS_PTRACE));
	return look(*(pid_t *)arg);
}

#define SOME (CAP_TO_MASK(CAP_CHOWN) | CAP_TO_MASK(CAP_KILL))

static int stop_with_some(void *arg)
{
	keep(SOME, SOME);
	return stop(arg);
}

static int look_permitted_as_much(void *arg)
{
	keep(0, SOME);
	return look(*(pid_t *)arg);
}

static int open_memory(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	return open(path, O_RDWR) < 0 ? errno : 0;
}

static int open_permitted_as_much(void *arg)
{
	keep(0, SOME);
	return open_memory(*(pid_t *)arg);
}

static int open_with_as_much(void *arg)
{
	keep(SOME, SOME);
	return open_memory(*(pid_t *)arg);
}

static void expect_with_some(void)
{
	pid_t pid = start(stop_with_some, NULL);
	wait_state(pid, 'T');
	int error = ended(start(look_permitted_as_much, &pid));
	expect(error == 0, "permitted as much as it: %s", strerror(error));
	error = ended(start(open_permitted_as_much, &pid));
	expect(error == EACCES, "/proc/PID/mem, permitted as much: %s", strerror(error));
	error = ended(start(open_with_as_much, &pid));
	expect(error == 0, "/proc/PID/mem, with as much in effect: %s", strerror(error));
}

int main(void)
{
	believe("root needs CAP_SYS_PTRACE to look into root's programs, or what they have");
	if (geteuid() != 0)
		skip("only root can show it");
	pid_t pid = start(stop, NULL);
	wait_state(pid, 'T');
	int error = ended(start(look_with_none, &pid));
	expect(error == EPERM, "with no capability: %s", strerror(error));
	error = ended(start(look_with_ptrace, &pid));
	expect(error == 0, "with CAP_SYS_PTRACE: %s", strerror(error));
	/* Yama's ptrace_scope lets none but ancestors look, unless they have that capability */
	if (number_in("/proc/sys/kernel/yama/ptrace_scope") <= 0)
		expect_with_some();
	return it_holds();
}
