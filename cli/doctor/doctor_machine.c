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
#include "cli/base/place.h"
#include "cli/doctor/doctor.h"
#include "protocol/older.h"

#define SHIM "libglobus_streams_shim.so"

/* What makes usual filters allow what we need. */
#define FILTER_ADVICE                                                                              \
	"--cap-add SYS_PTRACE, or --security-opt seccomp=unconfined (docker, podman), or "         \
	"--system-call-filter=\"seccomp pidfd_getfd\" (systemd-nspawn); a service needs "          \
	"SystemCallFilter=seccomp pidfd_getfd"

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

/* Filters of container engines say so, and kernels that do not know a call. */
static bool is_filtered(int error)
{
	return (error == EPERM || error == ENOSYS) &&
	       read_number("/proc/self/status", "Seccomp:") == 2;
}

/* Whether the launcher can install a listener. */
static bool check_listener(struct doctor *doctor)
{
	struct utsname name = {0};
	uname(&name);
	enum tried tried = try_in_child();
	if (tried == TRIED_BUSY && doctor->inside)
		doctor_say(doctor, DOCTOR_OK, "kernel",
			   "Linux %s provides a seccomp listener, which the launch around doctor "
			   "uses",
			   name.release);
	else if (tried == TRIED_BUSY)
		doctor_say(doctor, DOCTOR_FAILED, "kernel",
			   "another seccomp listener already watches this process (a container "
			   "engine, or another launcher); run this outside of it");
	else if (tried == TRIED_NO_ADDFD)
		doctor_say(doctor, DOCTOR_FAILED, "kernel",
			   "Linux %s cannot hand over connections (no SECCOMP_IOCTL_NOTIF_ADDFD); "
			   "use Linux 5.10 or newer",
			   name.release);
	else if (tried == TRIED_REFUSED && is_filtered(EPERM))
		doctor_say(
			doctor, DOCTOR_FAILED, "kernel",
			"the seccomp filter of the container forbids seccomp listeners; start the "
			"container with " FILTER_ADVICE);
	else if (tried == TRIED_REFUSED)
		doctor_say(doctor, DOCTOR_FAILED, "kernel",
			   "Linux %s does not provide a seccomp listener; use Linux 5.10 or newer, "
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
	int error = errno;
	cleanup_fd int copy = self < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, self, self, 0);
	const char *call = self < 0 ? "pidfd_open" : "pidfd_getfd";
	if (self >= 0)
		error = errno;
	if (copy >= 0)
		doctor_say(doctor, DOCTOR_OK, "pidfd",
			   "descriptors of another process can be duplicated");
	else if (is_filtered(error))
		doctor_say(doctor, DOCTOR_FAILED, "pidfd",
			   "%s() failed: %s: the seccomp filter of the container forbids it; start "
			   "the container with " FILTER_ADVICE,
			   call, strerror(error));
	else
		doctor_say(doctor, DOCTOR_FAILED, "pidfd",
			   "%s() failed: %s; use Linux 5.10 or newer, and in a container a profile "
			   "that allows it",
			   call, strerror(error));
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
	if (doctor->inside)
		doctor_say(doctor, DOCTOR_OK, "seccomp", "the filter of the launch is active");
	else if (read_number("/proc/self/status", "Seccomp:") > 0)
		doctor_say(doctor, DOCTOR_OK, "seccomp",
			   "a filter is already active, as in containers and services: calls that "
			   "it forbids stay forbidden; whether it allows what the launcher needs, "
			   "the line `launcher` says");
	else
		doctor_say(doctor, DOCTOR_OK, "seccomp", "no filter is active");
}

/* What the dynamic loader says against it; "": nothing. In a child: once loaded, the shim takes
 * part in every look-up of the process. */
static void try_shim(const char *shim, char *said, size_t size)
{
	int pipe[2];
	snprintf(said, size, "%s cannot be tried: %s", shim, strerror(errno));
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		const char *error = dlopen(shim, RTLD_NOW | RTLD_LOCAL) ? "" : dlerror();
		size_t len = strlen(error);
		_exit(write(pipe[1], error, len) == (ssize_t)len ? 0 : 1);
	}
	close(pipe[1]);
	int status = 1;
	if (child > 0) {
		ssize_t len = read(pipe[0], said, size - 1);
		said[len > 0 ? len : 0] = '\0';
		waitpid(child, &status, 0);
		if (!*said && status)
			snprintf(said, size, "%s cannot be loaded (wait status %d)", shim, status);
	}
	close(pipe[0]);
}

static void check_shim(struct doctor *doctor)
{
	char said[512];
	cleanup_free char *shim = place_beside_us("../shim/" SHIM);
	if (!shim)
		shim = place_beside_us(GS_SHIMDIR_FROM_BINDIR "/" SHIM);
	if (!shim) {
		doctor_say(doctor, DOCTOR_FAILED, "shim",
			   "%s is not installed with this program: dynamic programs cannot resolve "
			   "the tunnels' names; reinstall the package",
			   SHIM);
		return;
	}
	if (strpbrk(shim, ": \t\n")) {
		doctor_say(doctor, DOCTOR_FAILED, "shim",
			   "%s has a colon or a space in its path, which LD_PRELOAD does not "
			   "allow; move the programs to another folder",
			   shim);
		return;
	}
	try_shim(shim, said, sizeof(said));
	if (*said)
		doctor_say(doctor, DOCTOR_FAILED, "shim", "%s; reinstall the package", said);
	else
		doctor_say(doctor, DOCTOR_OK, "shim", "%s can be loaded", shim);
}

void doctor_machine(struct doctor *doctor)
{
	bool listener = check_listener(doctor) && !doctor->inside;
	check_pidfd(doctor);
	check_ptrace(doctor);
	check_filter(doctor);
	if (listener)
		doctor_launcher(doctor);
	else if (!doctor->inside)
		doctor_say(doctor, DOCTOR_WARNING, "launcher",
			   "not tested: the kernel does not provide a seccomp listener");
	check_shim(doctor);
}
