#ifndef GS_LOG_TARGET_H
#define GS_LOG_TARGET_H

/* Where the log goes and what it is like, from the options of the programs. */

#include <stdbool.h>

#include "supervisor/base/log.h"

/* The words of --log-target, -l, --log-format and --log-level; NULL: not given. debug: -d. */
struct log_options {
	const char *target, *file, *format, *level;
	bool debug;
};

/* Open the log: its descriptor (close-on-exec); -1: none is wanted; or -2 with *why, a static text,
 * and *what, the word that it is about (with errno where why is NULL). */
int log_target_open(const struct log_options *options, struct log_shape *shape, const char **what,
		    const char **why);

/* A descriptor (3 or more, close-on-exec) that leads to where stderr leads, and where it can be
 * does not wait. -1: errno. */
int log_target_stderr(void);

#endif
