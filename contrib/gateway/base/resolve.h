#ifndef GW_RESOLVE_H
#define GW_RESOLVE_H

/* Host names to addresses, off the loop. */

#include "contrib/gateway/base/net.h"
#include "contrib/gateway/base/offload.h"

#define RESOLVE_MAX 4 /* addresses of one name that are tried */

struct resolve;

/* Look a contact up; found() is called once, on the loop, with count addresses (0: none, and why
 * says so), unless resolve_cancel() comes first. NULL: it could not be started. */
struct resolve *resolve_start(struct offload *offload, const struct contact *contact,
			      void (*found)(void *user, const union address *addresses,
					    size_t count, const char *why),
			      void *user);
void resolve_cancel(struct resolve *resolve);

#endif
