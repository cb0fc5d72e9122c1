#include "supervisor/kernel/privileges.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Set what was permitted before, and wanted: permitted, and in effect or not. */
static int keep(cap_t caps, cap_t before, cap_value_t wanted, bool effective)
{
	cap_flag_value_t permitted;
	if (cap_get_flag(before, wanted, CAP_PERMITTED, &permitted) < 0)
		return -errno;
	if (cap_set_flag(caps, CAP_PERMITTED, 1, &wanted, permitted) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, 1, &wanted, effective ? permitted : CAP_CLEAR) < 0)
		return -errno;
	return 0;
}

/* The kernel lets us look into a program that is permitted no more than we are (ptrace(2)): what is
 * permitted stays, and nothing of it is in effect. */
static cap_t without_ptrace(cap_t before)
{
	cap_t caps = cap_dup(before);
	if (caps && cap_clear_flag(caps, CAP_EFFECTIVE) == 0 &&
	    cap_clear_flag(caps, CAP_INHERITABLE) == 0)
		return caps;
	cap_free(caps);
	return NULL;
}

/* The keeper's children take on a program's ids to open its files, and open those that /proc has of
 * it, which are its owner's alone. */
static const cap_value_t of_children[] = {CAP_SETUID, CAP_SETGID, CAP_DAC_OVERRIDE};

static int keep_only(bool keeper)
{
	cap_flag_value_t ptrace = CAP_CLEAR;
	cap_t before = cap_get_proc();
	if (before)
		cap_get_flag(before, CAP_SYS_PTRACE, CAP_PERMITTED, &ptrace);
	cap_t caps = !before ? NULL : ptrace ? cap_init() : without_ptrace(before);
	int err = caps ? 0 : -errno;
	if (err == 0)
		err = keep(caps, before, CAP_SYS_PTRACE, true);
	if (err == 0 && keeper)
		err = keep(caps, before, CAP_KILL, true);
	for (size_t i = 0; err == 0 && keeper && i < sizeof(of_children) / sizeof(*of_children);
	     i++)
		err = keep(caps, before, of_children[i], false);
	if (err == 0 && cap_set_proc(caps) < 0)
		err = -errno;
	cap_free(before);
	cap_free(caps);
	return err;
}

int privileges_drop(bool keeper)
{
	const struct rlimit none = {0, 0};
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return keep_only(keeper);
}

#define WORDS _LINUX_CAPABILITY_U32S_3

static int change(bool raise)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[WORDS] = {{0}};
	if (raise && syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < WORDS; i++)
		data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int privileges_raise(void)
{
	return change(true);
}

int privileges_none(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return change(false);
}
