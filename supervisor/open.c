/*
 * Opens of /etc/hosts by programs that load no shim: they get a copy with our names in it. The
 * filter shows us the opens of static programs, and of 32-bit ones.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#include "supervisor/fault.h"
#include "supervisor/fd.h"
#include "supervisor/i386.h"
#include "supervisor/log.h"
#include "supervisor/names.h"
#include "supervisor/notify.h"
#include "supervisor/supervisor.h"
#include "supervisor/target.h"

static const char hosts[] = "/etc/hosts";

/* The program's own file, as it sees it; none is as good as an empty one. */
static void copy_own(int to, int tid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/root/etc/hosts", tid);
	cleanup_fd int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	while (from >= 0 && sendfile(to, from, NULL, 1 << 20) > 0)
		;
}

/* A descriptor for reading, with an offset of its own, or -errno. */
static int make_hosts(const struct state *state, int tid)
{
	char path[64];
	cleanup_fd int file = memfd_create("hosts", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	/* ours first: the first line that has a name counts */
	int err = names_write_hosts(state, file);
	if (err < 0)
		return err;
	copy_own(file, tid);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void open_call(struct supervisor *s, uint32_t index)
{
	struct call *call = &s->state->calls[index];
	bool i386 = call->notif.data.arch == AUDIT_ARCH_I386;
	bool at = call->notif.data.nr == (i386 ? I386_OPENAT : SYS_openat);
	char path[sizeof(hosts)];
	if (target_read(s->state, call, call->args[at], path, sizeof(path)) < 0 ||
	    memcmp(path, hosts, sizeof(hosts)) != 0) {
		notify_pass(s->state, index);
		return;
	}
	cleanup_fd int fd = make_hosts(s->state, (int)call->notif.pid);
	if (fd < 0) {
		log_warn("no copy of /etc/hosts could be made: %s", strerror(-fd));
		notify_pass(s->state, index);
		return;
	}
	fault_point("open.made");
	int number = notify_inject(s->state, call, fd, call->args[at + 1] & O_CLOEXEC);
	fault_point("open.injected");
	log_debug("gave /etc/hosts to %d as %d", (int)call->notif.pid, number);
	if (number < 0)
		notify_fail(s->state, index, -number);
	else
		notify_return(s->state, index, number);
}
