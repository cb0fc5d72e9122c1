#ifndef GS_WATCH_H
#define GS_WATCH_H

/*
 * Programs' listening sockets are watched without being held. An epoll registration belongs to the
 * open file and lives as long as it does: a duplicate is registered and closed at once. Each new
 * connection is still reported, but the port is free the moment its program closes the socket. A
 * socket that is gone raises no event; it is then missing from the list of what this epoll watches
 * (fdinfo), which for that reason contains nothing else.
 *
 * Arrivals are reported once (EPOLLET): code that does not take them all must look again by itself.
 * A registration is known by file and number, so one number is kept for all of them. The kernel
 * generates the list for each reader, so its length is bounded: a socket that no longer listens is
 * removed, and while the list is full none is added. Sockets that cannot be watched (for that
 * reason, or by max_user_watches) are visited at intervals.
 */

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* Before the supervisor is confined. Without /proc nothing is watched. */
void watch_init(struct supervisor *s);

/* The descriptors of this module: owned[fd] is set for each below max. */
void watch_own(bool *owned, int max);

/* Watch the listener's socket, of which fd is a duplicate, from now on. */
void watch_listener(struct supervisor *s, uint32_t listener, int fd);

/* Watch it no more: its socket, of which fd is a duplicate, lives on, and listens no more. */
void watch_end(struct supervisor *s, uint32_t listener, int fd);

/* Some have connections: they are visited. */
void watch_event(struct supervisor *s);

/* Forget the listeners whose sockets are gone, where that was not done a moment ago. */
void watch_forget_gone(struct supervisor *s);

/* The same, if one of them has what others wait for. True: later again. */
bool watch_sweep(struct supervisor *s);

#endif
