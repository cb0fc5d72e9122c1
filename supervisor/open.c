/*
 * Opens of /etc/hosts by programs that load no shim: they get a copy with our names in it. The
 * filter shows us the opens of static programs, and of 32-bit ones.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/syscall.h>

#include "supervisor/fault.h"
#include "supervisor/fd.h"
#include "supervisor/hand.h"
#include "supervisor/i386.h"
#include "supervisor/log.h"
#include "supervisor/notify.h"
#include "supervisor/supervisor.h"
#include "supervisor/target.h"

static const char hosts[] = "/etc/hosts";

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
	cleanup_fd int fd = hand_proc(s->state, HAND_HOSTS, (int)call->notif.pid, -1);
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
