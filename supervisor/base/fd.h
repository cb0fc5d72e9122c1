#ifndef GS_FD_H
#define GS_FD_H

#include "protocol/cleanup.h"
#include <stdatomic.h>

/* Forget the number, then close: whoever takes over in between must not find a number that may be
 * another descriptor's by then. What nobody knows any more it closes itself. */
static inline void close_fd(int *fd)
{
	int closed = steal_fd(fd);
	atomic_signal_fence(memory_order_seq_cst);
	fd_cleanup(&closed);
}

#endif
