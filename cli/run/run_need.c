#include "cli/run/run_need.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/run/run_setup.h"

#define PTRACE "--cap-add SYS_PTRACE, or "

static const struct {
	const char *what;
	const char *call;       /* as filters name it; NULL: no filter is the reason */
	const char *capability; /* with it the default profiles of container engines allow the
				 * call */
} needs[NEED_COUNT] = {
	[NEED_PIDFD_OPEN] = {"pidfd_open()", "pidfd_open"},
	[NEED_PIDFD_GETFD] = {"pidfd_getfd()", "pidfd_getfd", PTRACE},
	[NEED_READ] = {"process_vm_readv()", "process_vm_readv", PTRACE},
	[NEED_KCMP] = {"kcmp()", "kcmp", PTRACE},
	[NEED_STATUS] = {"reading /proc/PID/status", NULL},
	[NEED_MEM] = {"opening /proc/PID/mem for writing", NULL},
	[NEED_RECEIVE] = {"ioctl(SECCOMP_IOCTL_NOTIF_RECV)", "ioctl"},
	[NEED_VALID] = {"ioctl(SECCOMP_IOCTL_NOTIF_ID_VALID)", "ioctl"},
	[NEED_ADDFD] = {"ioctl(SECCOMP_IOCTL_NOTIF_ADDFD)", "ioctl"},
	[NEED_SEND] = {"ioctl(SECCOMP_IOCTL_NOTIF_SEND)", "ioctl"},
};

void run_explain_need(enum need need, int error, bool served)
{
	const char *who = served ? "the supervisor that --attach names" : "globus-streams-run";
	const char *what = need < NEED_COUNT ? needs[need].what : NULL;
	const char *call = need < NEED_COUNT ? needs[need].call : NULL;
	if (!what)
		run_error("the command was not started: its first call was not answered (%s): %s "
			  "does not work, or is of another version",
			  strerror(error), served ? who : "the supervisor");
	else if (!call)
		run_error("the command was not started: %s needs %s, which fails here (%s); mount "
			  "/proc readable and writable, with this user's processes visible in it",
			  who, what, strerror(error));
	else
		run_error("the command was not started: %s needs %s, which is denied here (%s); "
			  "allow it: docker, podman: %sa seccomp profile that allows %s; systemd: "
			  "SystemCallFilter=%s; nspawn: --system-call-filter=%s",
			  who, what, strerror(error),
			  needs[need].capability ? needs[need].capability : "", call, call, call);
}
