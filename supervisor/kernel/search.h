#ifndef GS_SEARCH_H
#define GS_SEARCH_H

/* Who has a socket that whoever began to connect it, or was to accept it, has no more? fork() and
 * SCM_RIGHTS hand sockets on. All processes are looked through, once for all sockets that are
 * searched for. */

#include "supervisor/base/state.h"

/* In a chore: conns whose search is SEARCH_WANTED get SEARCH_FOUND, with tid and number of a
 * holder, or SEARCH_NOBODY. */
void search_holders(struct state *state);

#endif
