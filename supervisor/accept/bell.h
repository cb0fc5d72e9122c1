#ifndef GS_BELL_H
#define GS_BELL_H

/*
 * The doorbell: a connection of our own to a program's listening socket. It makes the socket
 * readable, so that poll, select and epoll wake the program; at its next accept() the bell is
 * dropped and an authenticated connection handed over in its place. It stays open until then, and
 * is known by its exact addresses. A bell that is reset tells that the listening socket is gone.
 */

#include "supervisor/calls/core.h"

/* Ring, if there is something to ring for, nobody is held in accept(), and no bell is out. */
void bell_ring(struct supervisor *s, uint32_t listener);

/* Is the connection that was accepted from peer a bell? Then it is taken back. */
bool bell_take(struct supervisor *s, const union address *peer);

/* Is there something to ring for: authenticated connections, or one that is owed? Where one is
 * being handed over by a chore, its program need not be woken. */
bool bell_is_wanted(const struct supervisor *s, const struct listener *listener);

/* Take the bell of this listener back, if it is out. */
void bell_stop(struct supervisor *s, uint32_t listener);

#endif
