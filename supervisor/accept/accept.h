#ifndef GS_ACCEPT_H
#define GS_ACCEPT_H

/* accept(), and listening sockets between calls. */

#include "supervisor/calls/core.h"

#define LISTENS (200 * MILLISECOND) /* from listen() until it is seen to: it has failed then */

/* accept() and accept4(): answer the call, or hold it. Its events. */
void accept_call(struct supervisor *s, uint32_t call);
void accept_event(struct supervisor *s, uint32_t conn);
void accept_deadline(struct supervisor *s, uint32_t conn);
void accept_call_deadline(struct supervisor *s, uint32_t call);
void accept_listener_event(struct supervisor *s, uint32_t listener);

/* give.c: bring what is ready at a listener and those who wait together; what is left over rings.
 * A chore has put a connection where it belongs, or has not. */
void accept_offer(struct supervisor *s, uint32_t listener);
void accept_injected(struct supervisor *s, struct chore *chore);

/* visit.c: between calls. Connections have come, or have to be looked for again, after so many ns;
 * its socket is gone. */
void accept_arrived(struct supervisor *s, uint32_t listener);
void accept_look_again(struct supervisor *s, uint32_t listener, uint64_t after);
void accept_gone(struct supervisor *s, uint32_t listener);
void accept_bell_event(struct supervisor *s, uint32_t listener);
bool accept_sweep(struct supervisor *s, uint32_t listener); /* true: to be looked after later */

/* For a supervisor that takes over. */
void accept_recover_conn(struct supervisor *s, uint32_t conn);
void accept_recover_listener(struct supervisor *s, uint32_t listener);

#endif
