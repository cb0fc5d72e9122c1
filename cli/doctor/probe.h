#ifndef GS_PROBE_H
#define GS_PROBE_H

/* Calling an access point as a program under the tool would. */

#include <netdb.h>

#include "protocol/conf.h"

/* Connect to the first of the addresses that takes it, within seconds each: a descriptor or -errno.
 */
int probe_connect(const struct addrinfo *list, unsigned seconds);

/* LAN authentication as the caller, within seconds: 0, or -errno with *why in a few words (static).
 * *reached: the access point knows us, and says what is wrong behind it. */
int probe_authenticate(int fd, const struct conf_view *view, unsigned seconds, const char **why,
		       bool *reached);

#endif
