#ifndef GW_CLEANUP_H
#define GW_CLEANUP_H

/* Cleanup attributes: what a variable owns is released when it goes out of scope. */

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_fd_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free_(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_json_(cJSON **json)
{
	cJSON_Delete(*json);
}

#define cleanup_fd   __attribute__((cleanup(cleanup_fd_)))
#define cleanup_free __attribute__((cleanup(cleanup_free_)))
#define cleanup_json __attribute__((cleanup(cleanup_json_)))

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define steal_pointer(pointer)                                                                     \
	({                                                                                         \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
