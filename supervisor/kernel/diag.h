#ifndef GS_DIAG_H
#define GS_DIAG_H

/* The TCP sockets that listen in our network namespace, whosever they are: sock_diag(7). */

#include <stdbool.h>
#include <stdint.h>

/* One of them, with its port and cookie: true ends the search. */
typedef bool diag_match(void *context, uint16_t port, uint64_t cookie);

/* 1: match has found one; 0: none; or -errno: the kernel does not say. */
int diag_find_listener(diag_match *match, void *context);

#endif
