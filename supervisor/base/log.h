#ifndef GS_LOG_H
#define GS_LOG_H

/*
 * Lines about what happens, one an event. Warnings go to the launcher, which prints them while it
 * lives (nobody else may keep the user's stderr open), or to the daemon's stderr; with -d or -l
 * every line goes to a log as well (log_target.h). A warning that comes again within ten seconds is
 * counted instead of written, and so is a line of the log that is the same as the one before it, or
 * one too many in a second. Nothing here waits for a reader or fails for want of one.
 */

#include <stdint.h>

enum log_level { LOG_WARN, LOG_INFO, LOG_DEBUG };

enum log_format { LOG_TEXT, LOG_LOGFMT, LOG_JSON, LOG_JOURNAL };

/* What the log is like. */
struct log_shape {
	uint8_t format;
	uint8_t level;  /* lines of this one and above are written */
	uint32_t lines; /* at most, a second */
};

/* Whom and what an event is about; whatever is 0 or NULL is not known. */
struct log_about {
	int pid;          /* the program's */
	const char *comm; /* its name */
	const char *tunnel;
	uint64_t connection; /* the same number in all lines about it */
	int error;           /* a positive errno */
	const char *key;     /* two lines with the same one are the same line, whatever they say */
};

/* warn_fd: where warnings go, debug_fd: the log; either may be -1. The numbers must stay open; a
 * reader that is gone is no error. The log is text, with all levels, until log_be() says otherwise.
 */
void log_init(int warn_fd, int debug_fd);
void log_be(const struct log_shape *shape);

/* Is there a log? And does it take debug lines? */
int log_is_open(void);
int log_debugging(void);

/* about may be NULL. Control characters are written as escapes. */
__attribute__((format(printf, 3, 4))) void
log_event(enum log_level level, const struct log_about *about, const char *format, ...);

#define log_warn(...) log_event(LOG_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_event(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_debugging())                                                               \
			log_event(LOG_DEBUG, NULL, __VA_ARGS__);                                   \
	} while (0)

#endif
