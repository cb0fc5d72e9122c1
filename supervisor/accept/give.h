#ifndef GS_GIVE_H
#define GS_GIVE_H

/* Connections are handed over to calls of accept(): supervisor.h has accept_offer() and
 * accept_injected(), which belong here too. */

#include "supervisor/calls/core.h"

/* The oldest ready connection of a listener to a call, which is in no list; it is answered, or
 * gone, or a chore is about it. Whatever we are at, this is that program's. */
void give_ready(struct supervisor *s, uint32_t call, uint32_t listener);

/* What is owed to the process of this call: true if that answers it. */
bool give_owed(struct supervisor *s, uint32_t call, uint32_t listener);

/* An accept() that was promised a connection gets the dead one once there is no hope of another; at
 * once, or when none is in the handshake any more. */
void give_promised(struct supervisor *s, uint32_t listener, bool at_once);

/* For accept_recover_conn(): one that was being told of, or that may be in a program's table. */
void give_recover_telling(struct supervisor *s, uint32_t conn);
void give_recover_injected(struct supervisor *s, uint32_t conn);

#endif
