/*
 * box KIND COMMAND …: run COMMAND as some kernel or container would.
 *
 *     no-listener ERRNO   seccomp() refuses user notification with this error number
 *     has-listener        the command already has a filter with a listener, which someone holds
 *     docker              what docker's default profile refuses to a container without capabilities
 *     deny CALL ERRNO     CALL is refused with this error number, or ends its process where that is
 *                         "kill"; one of the ioctl()s for listeners by its name: RECV, SEND …;
 *                         NETNS_COOKIE: that option of sockets
 */

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NETNS_COOKIE 71 /* SO_NETNS_COOKIE, Linux 5.14 */

static void die(const char *what, int error)
{
	fprintf(stderr, "box: %s: %s\n", what, strerror(error));
	exit(99);
}

static void refuse_listeners(int error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)error), SCMP_SYS(seccomp), 1,
				  SCMP_A1(SCMP_CMP_MASKED_EQ, SECCOMP_FILTER_FLAG_NEW_LISTENER,
					  SECCOMP_FILTER_FLAG_NEW_LISTENER));
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		die("filter", -rc);
	seccomp_release(filter);
}

static const struct {
	const char *name;
	unsigned long request;
} requests[] = {{"RECV", SECCOMP_IOCTL_NOTIF_RECV},
		{"SEND", SECCOMP_IOCTL_NOTIF_SEND},
		{"ID_VALID", SECCOMP_IOCTL_NOTIF_ID_VALID},
		{"ADDFD", SECCOMP_IOCTL_NOTIF_ADDFD}};

static void deny(const char *call, const char *error)
{
	uint32_t action = strcmp(error, "kill") == 0 ? SCMP_ACT_KILL_PROCESS
						     : SCMP_ACT_ERRNO((unsigned)atoi(error));
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int number = seccomp_syscall_resolve_name(call), rc = -EINVAL;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		if (strcmp(call, requests[i].name) == 0)
			rc = seccomp_rule_add(filter, action, SCMP_SYS(ioctl), 1,
					      SCMP_A1_32(SCMP_CMP_EQ, requests[i].request));
	if (strcmp(call, "NETNS_COOKIE") == 0)
		rc = seccomp_rule_add(filter, action, SCMP_SYS(getsockopt), 1,
				      SCMP_A2_32(SCMP_CMP_EQ, NETNS_COOKIE));
	if (number != __NR_SCMP_ERROR)
		rc = seccomp_rule_add(filter, action, number, 0);
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		die("filter", -rc);
	seccomp_release(filter);
}

/* Of Docker's default profile, the calls that need a capability which containers lack; its clone3()
 * is one that the kernel does not know. */
static void refuse_as_docker(void)
{
	static const int refused[] = {SCMP_SYS(bpf),
				      SCMP_SYS(kcmp),
				      SCMP_SYS(mount),
				      SCMP_SYS(open_by_handle_at),
				      SCMP_SYS(pidfd_getfd),
				      SCMP_SYS(perf_event_open),
				      SCMP_SYS(setns),
				      SCMP_SYS(process_madvise),
				      SCMP_SYS(process_vm_readv),
				      SCMP_SYS(process_vm_writev),
				      SCMP_SYS(unshare),
				      SCMP_SYS(userfaultfd)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (size_t i = 0; rc == 0 && i < sizeof(refused) / sizeof(*refused); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		die("filter", -rc);
	seccomp_release(filter);
}

/* The listener lives as long as somebody has it open: a child that waits for our end. */
static void take_listener(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(lookup_dcookie), 0);
	if (rc == 0)
		rc = seccomp_load(filter);
	if (rc < 0)
		die("filter", -rc);
	pid_t parent = getpid();
	pid_t child = fork();
	if (child < 0)
		die("fork", errno);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			pause();
		_exit(0);
	}
	close(seccomp_notify_fd(filter));
}

int main(int argc, char **argv)
{
	int at = 2;
	if (argc > 3 && !strcmp(argv[1], "no-listener"))
		refuse_listeners(atoi(argv[at++]));
	else if (argc > 2 && !strcmp(argv[1], "has-listener"))
		take_listener();
	else if (argc > 2 && !strcmp(argv[1], "docker"))
		refuse_as_docker();
	else if (argc > 4 && !strcmp(argv[1], "deny"))
		deny(argv[2], argv[3]), at = 4;
	else
		return 2;
	execvp(argv[at], argv + at);
	die(argv[at], errno);
}
