#ifndef GS_UNSEEN_H
#define GS_UNSEEN_H

/* accept() whose descriptor cannot be had: by a program that cannot be inspected, or while the
 * keeper does not answer. Then it is not known whether the socket is at a tunnel's port; but bind()
 * and listen() were seen. Processes that called these for a tunnel's port, or perhaps for one, are
 * marked. Their accept() is refused, and that of their descendants; if a marked process has ended,
 * accept() is refused for all while a socket that no known process has listens on a tunnel's port.
 * Other processes (an agent with an AF_UNIX socket) are not affected. */

#include "supervisor/calls/core.h"

/* The process of this call listens at a tunnel's port, or may. */
void unseen_mark(struct supervisor *s, const struct call *call);

/* May an address of that length be of the internet families? Programs give their exact sizes, or
 * all the room that there is; AF_UNIX's end at 110. */
bool unseen_length(uint64_t len);

/* Answer an accept() whose descriptor cannot be had, with an error of target.h's. */
void unseen_accept(struct supervisor *s, uint32_t call, int error);

#endif
