/*
 * hand.h: who may look into a program (pidfd_getfd, process_vm_readv) under Yama's ptrace_scope:
 *
 *     0  any process of the same user      2  only who has CAP_SYS_PTRACE
 *     1  an ancestor, be it by adoption    3  nobody
 *
 * CAP_SYS_PTRACE, which root has, is enough up to 2. Looking at /proc/PID/fd and kcmp() are no
 * attempts to attach, and free to the same user always.
 */

#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

struct family {
	volatile pid_t child, grandchild; /* each its own doing */
};

static long secret; /* at the same address in all of us, and another value in who is looked into */

static int be_looked_into(void *arg)
{
	*(volatile pid_t *)arg = getpid();
	secret = 4711;
	raise(SIGSTOP);
	return 0;
}

/* A daemon: its parent is gone before it is looked into. */
static int leave_orphan(void *arg)
{
	if (fork() == 0)
		_exit(be_looked_into(arg));
	return 0;
}

/* 0, or the errno of both ways of looking. */
static int look(pid_t pid)
{
	long word = 0;
	int error = read_word(pid, &secret, &word), fd = duplicate(pid, STDOUT_FILENO);
	expect(error == (fd < 0 ? -fd : 0), "process_vm_readv: %s; pidfd_getfd: %s",
	       strerror(error), fd < 0 ? strerror(-fd) : "a descriptor");
	expect(error || word == 4711, "what was read is %ld", word);
	return error;
}

static int look_as_sibling(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	char path[64], target[64];
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, STDOUT_FILENO);
	expect(readlink(path, target, sizeof(target)) > 0, "%s: %s", path, strerror(errno));
	expect(syscall(SYS_kcmp, getpid(), pid, KCMP_FILES, 0, 0) >= 0 || errno == ENOSYS,
	       "kcmp: %s", strerror(errno));
	return look(pid);
}

static void check(const char *who, int error, bool may)
{
	expect(error == (may ? 0 : EPERM), "%s: %s", who, error ? strerror(error) : "may look");
}

int main(void)
{
	believe("with Yama only an ancestor may look into a program");
	long scope = number_in("/proc/sys/kernel/yama/ptrace_scope");
	if (scope < 0)
		skip("this kernel has no Yama");
	bool privileged = geteuid() == 0 && scope <= 2;
	struct family *family = shared(sizeof(*family));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start(be_looked_into, (void *)&family->child);
	ended(start(leave_orphan, (void *)&family->grandchild));
	while (!family->child || !family->grandchild)
		;
	wait_state(family->child, 'T');
	wait_state(family->grandchild, 'T');

	seen("ptrace_scope is %ld", scope);
	check("the parent", look(family->child), privileged || scope <= 1);
	check("who adopted it", look(family->grandchild), privileged || scope <= 1);
	check("a sibling", ended(start(look_as_sibling, (void *)&family->child)),
	      privileged || scope == 0);
	kill(family->grandchild, SIGKILL);
	return it_holds();
}
