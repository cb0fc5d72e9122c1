#ifndef GS_OWED_H
#define GS_OWED_H

/*
 * Connections that were added to a process's table, where the call was taken back before it was
 * told the number: they are owed to that process's next accept(). Our duplicate stays until it is
 * told: a process that ends instead (a graceful restart) leaves the connection to whoever else
 * accepts at its listening socket, unless somebody else has the socket too: a child that it has
 * forked meanwhile. Then it is reset. Each is in its listener's list of them (listener_owe()).
 */

#include "supervisor/calls/core.h"

/* Its call was taken back: wait for the process's next accept(), or its end. */
void owed_begin(struct supervisor *s, uint32_t conn);

/* For recover.c: the same of one that may be waited for already, and is put into the list. */
void owed_recover(struct supervisor *s, uint32_t conn);

/* It is told; or taken out of the list for another reason. */
void owed_end(struct supervisor *s, uint32_t conn);

/* The process that has it has ended. */
void owed_event(struct supervisor *s, uint32_t conn);

/* It is known whether anybody else has it. */
void owed_searched(struct supervisor *s, uint32_t conn);

/* What cannot be watched is looked at from time to time: some of a listener's. True: there are
 * some. */
bool owed_sweep(struct supervisor *s, uint32_t listener);

#endif
