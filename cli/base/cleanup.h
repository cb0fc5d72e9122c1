#ifndef GS_CLI_CLEANUP_H
#define GS_CLI_CLEANUP_H

/* Ends of scopes: a variable marked so is given back when its scope ends. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void cleanup_free_(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_fd_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* For text that may hold a secret. */
static inline void cleanup_wipe_(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
}

#define cleanup_free __attribute__((cleanup(cleanup_free_)))
#define cleanup_fd   __attribute__((cleanup(cleanup_fd_)))
#define cleanup_wipe __attribute__((cleanup(cleanup_wipe_)))

/* Take a value out of a variable that is marked, so that it outlives the scope. */
#define steal_pointer(variable)                                                                    \
	({                                                                                         \
		__typeof__(variable) stolen_ = (variable);                                         \
		(variable) = NULL;                                                                 \
		stolen_;                                                                           \
	})

#endif
