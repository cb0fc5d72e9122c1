/* supervisor.c: root without CAP_SYS_PTRACE may not look into a program that has more rights than
 * it; with that one capability it may. */

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
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

static void keep_only(uint32_t capabilities)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{capabilities, capabilities, 0}};
	expect(syscall(SYS_capset, &header, data) == 0, "capset: %s", strerror(errno));
}

static int look(pid_t pid)
{
	long read;
	return read_word(pid, &word, &read);
}

static int look_with_none(void *arg)
{
	keep_only(0);
	return look(*(pid_t *)arg);
}

static int look_with_ptrace(void *arg)
{
	keep_only(CAP_TO_MASK(CAP_SYS_PTRACE));
	return look(*(pid_t *)arg);
}

int main(void)
{
	believe("root needs CAP_SYS_PTRACE to look into root's programs, and no more");
	if (geteuid() != 0)
		skip("only root can show it");
	pid_t pid = start(stop, NULL);
	wait_state(pid, 'T');
	int error = ended(start(look_with_none, &pid));
	expect(error == EPERM, "with no capability: %s", strerror(error));
	error = ended(start(look_with_ptrace, &pid));
	expect(error == 0, "with CAP_SYS_PTRACE: %s", strerror(error));
	return it_holds();
}
