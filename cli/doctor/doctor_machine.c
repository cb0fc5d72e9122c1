#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/doctor/doctor.h"

#define SHIM "libglobus_streams_shim.so"

/* Exit status of the child that tried to install a listener. */
enum tried { TRIED_OK, TRIED_WITH_NNP, TRIED_NO_ADDFD, TRIED_BUSY, TRIED_REFUSED };

static int install_listener(void)
{
	struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {.len = 1, .filter = allow};
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* In a child, since a filter cannot be removed. */
static enum tried try_listener(void)
{
	bool needed = false;
	int fd = install_listener();
	if (fd < 0 && errno == EACCES) {
		needed = true;
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		fd = install_listener();
	}
	if (fd < 0)
		return errno == EBUSY ? TRIED_BUSY : TRIED_REFUSED;
	/* A kernel that knows this ioctl looks for the notification and finds none: ENOENT. */
	struct seccomp_notif_addfd addfd = {.id = 1};
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd) == 0 || errno != ENOENT)
		return TRIED_NO_ADDFD;
	return needed ? TRIED_WITH_NNP : TRIED_OK;
}

static enum tried try_in_child(void)
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		_exit(try_listener());
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return TRIED_REFUSED;
	return (enum tried)WEXITSTATUS(status);
}

/* Whether the launcher can install a listener. */
static bool check_listener(struct doctor *doctor)
{
	struct utsname name = {0};
	uname(&name);
	enum tried tried = try_in_child();
	if (tried == TRIED_BUSY)
		doctor_say(doctor, DOCTOR_FAILED, "kernel",
			   "another seccomp listener already watches this process (a container "
			   "engine, or another launcher); run this outside of it");
	else if (tried == TRIED_NO_ADDFD)
		doctor_say(doctor, DOCTOR_FAILED, "kernel",
			   "Linux %s cannot hand over connections (no SECCOMP_IOCTL_NOTIF_ADDFD); "
			   "use Linux 5.14 or newer",
			   name.release);
	else if (tried == TRIED_REFUSED)
		doctor_say(doctor, DOCTOR_FAILED, "kernel",
			   "Linux %s does not provide a seccomp listener; use Linux 5.14 or newer, "
			   "and in a container a profile that allows seccomp()",
			   name.release);
	else
		doctor_say(doctor, DOCTOR_OK, "kernel", "Linux %s provides a seccomp listener",
			   name.release);
	if (tried == TRIED_WITH_NNP)
		doctor_say(doctor, DOCTOR_OK, "no_new_privs",
			   "required for this user: sudo and setuid programs gain no privileges "
			   "under globus-streams-run");
	return tried == TRIED_OK || tried == TRIED_WITH_NNP;
}

static void check_pidfd(struct doctor *doctor)
{
	cleanup_fd int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	cleanup_fd int copy = self < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, self, self, 0);
	if (copy >= 0)
		doctor_say(doctor, DOCTOR_OK, "pidfd",
			   "descriptors of another process can be duplicated");
	else
		doctor_say(doctor, DOCTOR_FAILED, "pidfd",
			   "pidfd_getfd() failed: %s; use Linux 5.14 or newer, and in a container "
			   "a profile that allows it",
			   strerror(errno));
}

/* Read a number from a file, or from its line that begins with key. -1: not found. */
static int read_number(const char *path, const char *key)
{
	char line[256];
	int number = -1;
	FILE *file = fopen(path, "re");
	while (file && number < 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			number = atoi(line + strlen(key));
	if (file)
		fclose(file);
	return number;
}

static bool has_ptrace_capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[0].effective & 1U << CAP_SYS_PTRACE);
}

static void check_ptrace(struct doctor *doctor)
{
	int scope = read_number("/proc/sys/kernel/yama/ptrace_scope", "");
	if (scope == 3 || (scope == 2 && !has_ptrace_capability()))
		doctor_say(doctor, DOCTOR_FAILED, "ptrace_scope",
			   "kernel.yama.ptrace_scope is %d: the command may not be traced; an "
			   "administrator can set it to 1 with sysctl%s",
			   scope, scope == 3 ? " before the next boot" : "");
	else if (scope < 0)
		doctor_say(doctor, DOCTOR_OK, "ptrace_scope", "not restricted");
	else
		doctor_say(doctor, DOCTOR_OK, "ptrace_scope", "kernel.yama.ptrace_scope is %d",
			   scope);
}

static void check_filter(struct doctor *doctor)
{
	if (read_number("/proc/self/status", "Seccomp:") > 0)
		doctor_say(doctor, DOCTOR_WARNING, "seccomp",
			   "a filter is already active, as in containers: calls that it forbids "
			   "stay forbidden");
	else
		doctor_say(doctor, DOCTOR_OK, "seccomp", "no filter is active");
}

static void check_shim(struct doctor *doctor)
{
	cleanup_free char *shim = doctor_beside_us("../shim/" SHIM);
	if (!shim)
		shim = doctor_beside_us(GS_LIBDIR_FROM_BINDIR "/" SHIM);
	void *handle = shim ? dlopen(shim, RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!shim)
		doctor_say(doctor, DOCTOR_FAILED, "shim",
			   "%s is not installed with this program: dynamic programs cannot resolve "
			   "the tunnels' names; reinstall the package",
			   SHIM);
	else if (!handle)
		doctor_say(doctor, DOCTOR_FAILED, "shim", "%s; reinstall the package", dlerror());
	else
		doctor_say(doctor, DOCTOR_OK, "shim", "%s can be loaded", shim);
	if (handle)
		dlclose(handle);
}

void doctor_machine(struct doctor *doctor)
{
	bool listener = check_listener(doctor);
	check_pidfd(doctor);
	check_ptrace(doctor);
	check_filter(doctor);
	if (listener)
		doctor_launcher(doctor);
	else
		doctor_say(doctor, DOCTOR_WARNING, "launcher",
			   "not tested: the kernel does not provide a seccomp listener");
	check_shim(doctor);
}
