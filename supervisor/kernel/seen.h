#ifndef GS_SEEN_H
#define GS_SEEN_H

/* The calls that filters hand over, whatever their numbers are in the architecture of a program. */

#include <linux/seccomp.h>
#include <stdbool.h>

enum seen {
	SEEN_NOTHING,
	SEEN_OPEN,
	SEEN_OPENAT,
	SEEN_SOCKETCALL, /* i386's: one call for many */
	SEEN_BIND,
	SEEN_CONNECT,
	SEEN_LISTEN,
	SEEN_ACCEPT,
	SEEN_ACCEPT4,
	SEEN_GETSOCKOPT,
	SEEN_HELD = SEEN_GETSOCKOPT, /* up to here */
	SEEN_SETSOCKOPT,
	SEEN_SENDTO,
	SEEN_LANDLOCK_RESTRICT_SELF
};

/* Which one is it, by its number and architecture? */
enum seen seen_call(const struct seccomp_data *data);

/* Is it the number of one that may be held, in any architecture? Not of those that are answered at
 * once: what sleeps in a send has perhaps sent a part, and another architecture's call of that
 * number may not like to be interrupted. */
bool seen_held(long number);

/* Is it made as a 32-bit program makes it? */
bool seen_compat(const struct seccomp_data *data);

#endif
