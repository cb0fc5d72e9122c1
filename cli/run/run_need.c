#include "cli/run/run_need.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/run/run_setup.h"

/* The default profiles of container engines allow some calls with CAP_SYS_PTRACE only; a profile
 * that allows one of them has to allow the others too. */
#define PTRACE    "--cap-add SYS_PTRACE, or "
#define BY_PTRACE "pidfd_getfd, process_vm_readv and, before Linux 6.9, kcmp"

static const struct {
	const char *what;
	const char *call; /* as filters name it; NULL: no filter is the reason */
	bool by_ptrace;
} needs[NEED_COUNT] = {
	[NEED_PIDFD_OPEN] = {"pidfd_open()", "pidfd_open", false},
	[NEED_PIDFD_GETFD] = {"pidfd_getfd()", "pidfd_getfd", true},
	[NEED_READ] = {"process_vm_readv()", "process_vm_readv", true},
	[NEED_KCMP] = {"kcmp()", "kcmp", true},
	[NEED_STATUS] = {"reading /proc/PID/status", NULL, false},
	[NEED_MEM] = {"opening /proc/PID/mem for writing", NULL, false},
	[NEED_RECEIVE] = {"ioctl(SECCOMP_IOCTL_NOTIF_RECV)", "ioctl", false},
	[NEED_VALID] = {"ioctl(SECCOMP_IOCTL_NOTIF_ID_VALID)", "ioctl", false},
	[NEED_ADDFD] = {"ioctl(SECCOMP_IOCTL_NOTIF_ADDFD)", "ioctl", false},
	[NEED_SEND] = {"ioctl(SECCOMP_IOCTL_NOTIF_SEND)", "ioctl", false},
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
			  "a /proc that is writable and shows this user's processes: bwrap: --proc "
			  "/proc; unshare --pid: --mount-proc",
			  who, what, strerror(error));
	else
		run_error("the command was not started: %s needs %s, which is denied here (%s); "
			  "allow it: docker, podman: %sa seccomp profile that allows %s; systemd: "
			  "SystemCallFilter=%s; nspawn: --system-call-filter=%s",
			  who, what, strerror(error), needs[need].by_ptrace ? PTRACE : "",
			  needs[need].by_ptrace ? BY_PTRACE : call, call, call);
}
