#ifndef GS_OLDER_H
#define GS_OLDER_H

/*
 * What the headers of older systems lack (Debian 11: glibc 2.31, and those of Linux 5.10): numbers
 * of system calls, which are the same on every architecture, and names of errors. A kernel without
 * such a call answers ENOSYS.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#ifndef SYS_close_range /* Linux 5.9 */
#define SYS_close_range 436
#endif
#ifndef SYS_openat2 /* Linux 5.6 */
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd /* Linux 5.6 */
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_process_madvise /* Linux 5.10 */
#define SYS_process_madvise 440
#endif
#ifndef SYS_landlock_create_ruleset /* Linux 5.13 */
#define SYS_landlock_create_ruleset 444
#endif
#ifndef __NR_landlock_restrict_self /* Linux 5.13; by this name for libseccomp too */
#define __NR_landlock_restrict_self 446
#endif
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self __NR_landlock_restrict_self
#endif

#ifndef HAVE_STRERRORNAME_NP /* glibc 2.32 */

/* The errors that sockets and the calls before them give; NULL for others. */
static inline const char *strerrorname_np(int error)
{
#define NAMED(name)                                                                                \
	case name:                                                                                 \
		return #name
	switch (error) {
		NAMED(EACCES);
		NAMED(EADDRINUSE);
		NAMED(EADDRNOTAVAIL);
		NAMED(EAFNOSUPPORT);
		NAMED(EAGAIN);
		NAMED(EALREADY);
		NAMED(EBADF);
		NAMED(EBADMSG);
		NAMED(EBUSY);
		NAMED(ECONNABORTED);
		NAMED(ECONNREFUSED);
		NAMED(ECONNRESET);
		NAMED(EFAULT);
		NAMED(EHOSTDOWN);
		NAMED(EHOSTUNREACH);
		NAMED(EINPROGRESS);
		NAMED(EINTR);
		NAMED(EINVAL);
		NAMED(EIO);
		NAMED(EISCONN);
		NAMED(EKEYREJECTED);
		NAMED(EMFILE);
		NAMED(ENETDOWN);
		NAMED(ENETUNREACH);
		NAMED(ENFILE);
		NAMED(ENOBUFS);
		NAMED(ENOENT);
		NAMED(ENOMEM);
		NAMED(ENOSPC);
		NAMED(ENOSYS);
		NAMED(ENOTCONN);
		NAMED(ENOTSOCK);
		NAMED(EOPNOTSUPP);
		NAMED(EPERM);
		NAMED(EPIPE);
		NAMED(EPROTO);
		NAMED(ESRCH);
		NAMED(ETIMEDOUT);
	}
#undef NAMED
	return NULL;
}

#endif

#endif
