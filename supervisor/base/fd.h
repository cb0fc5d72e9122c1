#ifndef GS_FD_H
#define GS_FD_H

#include <stdatomic.h>
#include <unistd.h>

/* Close at the end of the scope. close() is never retried: Linux always frees the number. */
static inline void fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define cleanup_fd __attribute__((cleanup(fd_cleanup)))

/* Take the descriptor out of a variable: the caller owns it now. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/* Forget the number, then close: whoever takes over in between must not find a number that may be
 * another descriptor's by then. What nobody knows any more it closes itself. */
static inline void close_fd(int *fd)
{
	int closed = steal_fd(fd);
	atomic_signal_fence(memory_order_seq_cst);
	fd_cleanup(&closed);
}

#endif
