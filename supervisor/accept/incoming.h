#ifndef GS_INCOMING_H
#define GS_INCOMING_H

/* Connections that were taken off a listening socket's queue and prove themselves. Those that do
 * are queued at their listener (listener.h); for whom they are waited is accept.c's business. */

#include "supervisor/calls/core.h"

#define AT_A_TIME 64 /* connections taken off a queue at once */

/* Take at most so many of those that the kernel has queued at fd, a duplicate of the listener's
 * socket. 0; 1: there may be more; -EINVAL: the socket does not listen any more; -EBUSY: accept()
 * has blocked on it, and it is left alone for a while; -EMFILE and its like: we have no room for
 * it. */
int incoming_drain(struct supervisor *s, uint32_t listener, int fd, int most);

/* Go on with the handshake. */
void incoming_drive(struct supervisor *s, uint32_t conn);

/* One whose HELLO has come and is right, and for whom no accept() has waited; NONE. Those that have
 * come last are gone on with first. */
uint32_t incoming_soon(struct supervisor *s, uint32_t listener);

/* A stranger's is over; say why. One at a listener is kept, shut down (listener->dead), for a
 * program that its coming may have woken, as is a bell that came late; one of our own programs' may
 * be queued (wake.h). */
void incoming_report(struct supervisor *s, const struct conn *conn, const char *why);
void incoming_drop(struct supervisor *s, uint32_t conn);

/* The time for which a dead one is kept is over. */
void incoming_dead_over(struct supervisor *s, uint32_t conn);

/* Its deadline has come. True: it has a later one now, since it is not a program's of ours. */
bool incoming_goes_on(struct supervisor *s, uint32_t conn);

/* End the oldest of a listener's, if there is no dead one yet. */
void incoming_end_one(struct supervisor *s, uint32_t listener);

/* For recover.c: go on; take in a socket that was accepted and not recorded, which becomes ours. */
void incoming_resume(struct supervisor *s, uint32_t conn);
void incoming_stray(struct supervisor *s, int fd);

#endif
