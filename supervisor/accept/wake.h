#ifndef GS_WAKE_H
#define GS_WAKE_H

/* A program that ends its blocking accept() by a connection to itself gets one: the next connection
 * from this machine that does not authenticate, emptied and shut down. */

#include "supervisor/base/address.h"
#include "supervisor/calls/core.h"

/* One of this launch's programs is about to connect to that address: another launch's listeners are
 * not woken by it. */
void wake_expect(struct supervisor *s, uint32_t program, const union address *asked);

/* connect() in a launch that has no tunnel to connect to: it goes to the kernel. */
void wake_call(struct supervisor *s, uint32_t call);

/* This stranger has just come to its listener: may it be such a one? */
bool wake_may_be(struct supervisor *s, const struct conn *conn);

/* One of those has failed, and is emptied. True: it is in its listener's queue now, for accept().
 */
bool wake_take(struct supervisor *s, uint32_t conn);

#endif
