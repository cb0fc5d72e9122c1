#ifndef GS_FD_H
#define GS_FD_H

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

static inline void close_fd(int *fd)
{
	fd_cleanup(fd);
	*fd = -1;
}

#endif
