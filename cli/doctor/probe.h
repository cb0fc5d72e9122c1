#ifndef GS_PROBE_H
#define GS_PROBE_H

/* Connecting to an access point as a program under globus-streams-run does. */

#include <netdb.h>

#include "protocol/conf.h"

/* Connect to the first address that accepts, within seconds each: a descriptor or -errno. */
int probe_connect(const struct addrinfo *list, unsigned seconds);

/* LAN authentication as the caller, within seconds: 0, or -errno with *why in a few words
 * (static). *reached: the access point has accepted us, and reports a problem behind it. */
int probe_authenticate(int fd, const struct conf_view *view, unsigned seconds, const char **why,
		       bool *reached);

#endif
