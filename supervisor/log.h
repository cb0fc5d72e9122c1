#ifndef GS_LOG_H
#define GS_LOG_H

/*
 * Lines about what happens, one an event. Warnings go to the launcher, which prints them while it
 * lives (nobody else may keep the user's stderr open); with -d or -l every line goes to stderr or
 * to the file as well. A line that comes again within ten seconds is counted instead of written.
 */

enum log_level { LOG_WARN, LOG_DEBUG };

/* warn_fd: where warnings go, debug_fd: where everything goes, stamped; either may be -1. The
 * numbers must stay open; a reader that is gone is no error. */
void log_init(int warn_fd, int debug_fd);

/* Is anybody listening to debug lines? */
int log_debugging(void);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_debugging())                                                               \
			log_line(LOG_DEBUG, __VA_ARGS__);                                          \
	} while (0)

#endif
