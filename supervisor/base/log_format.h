#ifndef GS_LOG_FORMAT_H
#define GS_LOG_FORMAT_H

/* How an event is written: a line of text, of key=value or of JSON, or a datagram for systemd's
 * journal (its native protocol: one KEY=value a line). */

#include <stddef.h>

#include "supervisor/base/log.h"

#define LOG_LINE 1536

/* Write it, with its newline: the length. text is one line, of any bytes. */
size_t log_format(char line[LOG_LINE], enum log_format format, enum log_level level,
		  const struct log_about *about, const char *text);

/* Copy text with control characters as \xNN; whole: what is not ASCII too. size is more than 4. */
void log_escape(char *to, size_t size, const char *text, int whole);

#endif
