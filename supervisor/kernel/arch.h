#ifndef GS_ARCH_H
#define GS_ARCH_H

/*
 * The two architectures whose system calls the kernel takes: this build's own, and that of 32-bit
 * programs: i386 on x86-64, where 64-bit programs can make its calls too; EABI ARM on aarch64. No
 * header has the numbers of the second in a build of the first; those that filters need are here.
 */

#include <linux/audit.h>

#if defined(__x86_64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_X86_64
#define COMPAT_AUDIT_ARCH AUDIT_ARCH_I386
enum {
	COMPAT_OPEN = 5,
	COMPAT_SOCKETCALL = 102, /* there is no accept() beside it */
	COMPAT_OPENAT = 295,
	COMPAT_BIND = 361,
	COMPAT_CONNECT = 362,
	COMPAT_LISTEN = 363,
	COMPAT_ACCEPT4 = 364,
	COMPAT_GETSOCKOPT = 365,
	COMPAT_SETSOCKOPT = 366,
	COMPAT_SENDTO = 369,
	COMPAT_LANDLOCK_RESTRICT_SELF = 446
};
#elif defined(__aarch64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_AARCH64
#define COMPAT_AUDIT_ARCH AUDIT_ARCH_ARM
enum {
	COMPAT_OPEN = 5,
	COMPAT_SOCKETCALL = 102, /* no program that runs here has it: ENOSYS */
	COMPAT_BIND = 282,
	COMPAT_CONNECT = 283,
	COMPAT_LISTEN = 284,
	COMPAT_ACCEPT = 285,
	COMPAT_SENDTO = 290,
	COMPAT_SETSOCKOPT = 294,
	COMPAT_GETSOCKOPT = 295,
	COMPAT_OPENAT = 322,
	COMPAT_ACCEPT4 = 366,
	COMPAT_LANDLOCK_RESTRICT_SELF = 446
};
#else
#error "this architecture's system calls are not known"
#endif

#endif
