#include "supervisor/kernel/seen.h"

#include <stddef.h>
#include <sys/syscall.h>

#include "protocol/older.h"
#include "supervisor/kernel/arch.h"

struct number {
	long number;
	enum seen call;
};

static const struct number native[] = {
#ifdef SYS_open
	{SYS_open, SEEN_OPEN},
#endif
	{SYS_openat, SEEN_OPENAT},
	{SYS_bind, SEEN_BIND},
	{SYS_connect, SEEN_CONNECT},
	{SYS_listen, SEEN_LISTEN},
	{SYS_accept, SEEN_ACCEPT},
	{SYS_accept4, SEEN_ACCEPT4},
	{SYS_getsockopt, SEEN_GETSOCKOPT},
	{SYS_setsockopt, SEEN_SETSOCKOPT},
	{SYS_sendto, SEEN_SENDTO},
	{SYS_landlock_restrict_self, SEEN_LANDLOCK_RESTRICT_SELF},
	{-1, SEEN_NOTHING},
};

static const struct number compat[] = {
#if defined(__x86_64__)
	{COMPAT_SOCKETCALL, SEEN_SOCKETCALL},
#else
	{COMPAT_ACCEPT, SEEN_ACCEPT},
#endif
	{COMPAT_OPEN, SEEN_OPEN},
	{COMPAT_OPENAT, SEEN_OPENAT},
	{COMPAT_BIND, SEEN_BIND},
	{COMPAT_CONNECT, SEEN_CONNECT},
	{COMPAT_LISTEN, SEEN_LISTEN},
	{COMPAT_ACCEPT4, SEEN_ACCEPT4},
	{COMPAT_GETSOCKOPT, SEEN_GETSOCKOPT},
	{COMPAT_SETSOCKOPT, SEEN_SETSOCKOPT},
	{COMPAT_SENDTO, SEEN_SENDTO},
	{COMPAT_LANDLOCK_RESTRICT_SELF, SEEN_LANDLOCK_RESTRICT_SELF},
	{-1, SEEN_NOTHING},
};

static enum seen find(const struct number *list, long number)
{
	while (list->call != SEEN_NOTHING && list->number != number)
		list++;
	return list->call;
}

bool seen_compat(const struct seccomp_data *data)
{
	return data->arch == COMPAT_AUDIT_ARCH;
}

enum seen seen_call(const struct seccomp_data *data)
{
	return find(seen_compat(data) ? compat : native, data->nr);
}

static bool is_held(enum seen call)
{
	return call != SEEN_NOTHING && call <= SEEN_HELD;
}

bool seen_held(long number)
{
	return is_held(find(native, number)) || is_held(find(compat, number));
}
