#ifndef GS_OCI_PROFILE_H
#define GS_OCI_PROFILE_H

/*
 * A seccomp profile for containers whose calls the supervisor sees: the format of linux.seccomp in
 * the OCI runtime specification, which docker and podman have extended (archMap; includes and
 * excludes of a rule). The calls are those of supervisor/kernel/filter.c, by their names (rules.h).
 */

#include <cjson/cJSON.h>
#include <stdbool.h>

struct profile {
	const char *socket;   /* the agent's */
	const char *metadata; /* for the agent: ids of tunnels */
	bool opens; /* see opens for reading too, so that names are found without the shim */
};

/* One of its own, which allows everything else. NULL: no memory. */
cJSON *profile_make(const struct profile *wanted);

/* Change base, a profile, in place: what it denies stays denied, what it allows and we have to see
 * is seen. What it says that is not understood is refused, since a guess could open what it closes,
 * or leave a call unseen. 0, or -1 with *why: one line, to be freed (NULL: no memory). */
int profile_change(cJSON *base, const struct profile *wanted, char **why);

/* Has it what docker and podman alone understand: archMap, and rules with includes or excludes? */
bool profile_is_extended(const cJSON *profile);

#endif
