#ifndef GS_SERVICE_H
#define GS_SERVICE_H

/*
 * Under a service manager: readiness, signs of life, and descriptors that it keeps while this is
 * started again. sd_notify(3), sd_listen_fds(3).
 */

#include "supervisor/process/keeper.h"

/* Is there one that listens? */
bool service_is_managed(void);

/* Tell it something, as "READY=1". */
void service_tell(const char *text);

/* The listening SOCK_SEQPACKET socket that it passes, close-on-exec and non-blocking; whatever else
 * it passes is closed, and forgotten there. -ENOTSOCK: none. */
int service_socket(void);

/* A timer for signs of life, or -1 where none are wanted. At each of its ticks: one is given, if
 * the supervisor has answered the tick before. */
int service_watchdog(void);
void service_tick(struct keeper *keeper);

/* Have it keep the state and all descriptors, for who is started next. The supervisor has ended.
 * True: it has them. */
bool service_store(struct keeper *keeper);

/* Take back what a program before this one has stored: true, and *keeper goes on with it. False:
 * nothing was, or its state is of another layout; nothing of it is left then. */
bool service_restore(struct keeper *keeper);

#endif
