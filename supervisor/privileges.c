#include "supervisor/privileges.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Set what was permitted before, and wanted, in both sets. */
static int keep(cap_t caps, cap_t before, cap_value_t wanted)
{
	cap_flag_value_t permitted;
	if (cap_get_flag(before, wanted, CAP_PERMITTED, &permitted) < 0)
		return -errno;
	if (cap_set_flag(caps, CAP_PERMITTED, 1, &wanted, permitted) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, 1, &wanted, permitted) < 0)
		return -errno;
	return 0;
}

static int keep_only(bool may_kill)
{
	cap_t before = cap_get_proc(), caps = cap_init();
	int err = before && caps ? 0 : -errno;
	if (err == 0)
		err = keep(caps, before, CAP_SYS_PTRACE);
	if (err == 0 && may_kill)
		err = keep(caps, before, CAP_KILL);
	if (err == 0 && cap_set_proc(caps) < 0)
		err = -errno;
	cap_free(before);
	cap_free(caps);
	return err;
}

int privileges_drop(bool may_kill)
{
	const struct rlimit none = {0, 0};
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return keep_only(may_kill);
}
