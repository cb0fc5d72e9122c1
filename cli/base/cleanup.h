#ifndef GS_CLI_CLEANUP_H
#define GS_CLI_CLEANUP_H

#include "protocol/cleanup.h"
#include <string.h>

/* For text that may hold a secret. */
static inline void wipe_cleanup(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
}
#define cleanup_wipe __attribute__((cleanup(wipe_cleanup)))

#endif
