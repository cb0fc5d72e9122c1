#ifndef GS_WATCH_H
#define GS_WATCH_H

/*
 * Listening sockets of programs are watched without being held. An epoll registration belongs to
 * the open file, and lives as long as it does: a duplicate is registered and closed at once, and
 * each connection that comes is told all the same, while the port is free the moment its program
 * closes the socket. That a socket is gone raises no event; it is missing then in the list of what
 * this epoll watches (fdinfo), which for that reason has nothing else in it.
 *
 * It is told once of what has come (EPOLLET): who does not take it all looks again by himself. A
 * registration is known by file and number, so one number is kept for all of them. The kernel makes
 * the list anew for each reader, so it has an end: a socket that listens no more is taken out, and
 * where it is full nobody is added. Who cannot be watched (that, max_user_watches) is visited by
 * time.
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
