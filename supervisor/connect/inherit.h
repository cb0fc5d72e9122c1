#ifndef GS_INHERIT_H
#define GS_INHERIT_H

/* Calls of a program whose supervisor has ended together with what it knew of them: another one
 * receives them again, and only the socket tells how far its connect() had come. */

#include "supervisor/calls/core.h"
#include "supervisor/tunnel/route.h"

/* connect() on a socket that is not fresh and that we do not know. True: it is answered. False: it
 * is an ordinary call, on a fresh socket where nothing had been begun that cannot be undone. */
bool inherit_connect(struct supervisor *s, uint32_t call, int fd, const struct route *route);

/* getsockopt(SO_ERROR) on a socket that we do not know. True: it is answered. */
bool inherit_so_error(struct supervisor *s, uint32_t call);

#endif
