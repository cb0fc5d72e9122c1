#ifndef GW_LOG_H
#define GW_LOG_H

/* Lines on stderr, each with the program's name before it. */

#include <stdbool.h>

/* Also write what log_detail() is given (--verbose). */
void log_init(bool verbose);

/* Something that whoever runs the gateway should see. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line a request or call, written with --verbose only. Never a secret or a token. */
void log_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
