#ifndef GS_FILTER_H
#define GS_FILTER_H

#include <stdbool.h>

/* Which calls the tunnels of a launch need to see. */
struct filter_wants {
	bool initiates;      /* connect, sendto with an address, SO_ERROR, FASTOPEN, opens of the
				hosts file, landlock_restrict_self */
	bool listens;        /* accept, bind, listen, what steers; connect, to know its own */
	bool all_opens;      /* see opens of position-independent static programs too */
	bool allow_io_uring; /* leave io_uring's calls alone */
};

/* Install the filter on the calling thread, which must be the only one. The listener descriptor, or
 * -errno: -EBUSY: a listener is in place already; -ENOSYS, -EINVAL: the kernel or a filter in force
 * has no user notifications; -ENOMEM. *no_new_privs tells whether it had to be set (seccomp(2): an
 * ordinary user must). */
int filter_install(const struct filter_wants *wants, bool *no_new_privs);

#endif
