#ifndef GS_CLEANUP_H
#define GS_CLEANUP_H

/* Ends of scopes: what a variable that is marked owns is given back when its scope ends. */

#include <stdlib.h>
#include <unistd.h>

/* close() is never retried: Linux always frees the number (close(2)). */
static inline void fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void free_cleanup(void *pointer)
{
	free(*(void **)pointer);
}

#define cleanup_fd   __attribute__((cleanup(fd_cleanup)))
#define cleanup_free __attribute__((cleanup(free_cleanup)))

/* Take the descriptor out of a variable: the caller owns it now. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/* The same of a pointer. */
#define steal_pointer(variable)                                                                    \
	({                                                                                         \
		__typeof__(variable) stolen_ = (variable);                                         \
		(variable) = NULL;                                                                 \
		stolen_;                                                                           \
	})

#endif
