#ifndef GS_TIMESTAMP_H
#define GS_TIMESTAMP_H

#include <stdint.h>

/* A time as services write it (ISO 8601: "2026-01-31T10:00:00.5+00:00", "…Z", with a space for the
 * T, or without a zone, which is UTC) in epoch seconds: 0, or -EINVAL. */
int timestamp_parse(const char *text, int64_t *seconds);

/* The same for a time of HTTP's (RFC 9110: "Sun, 06 Nov 1994 08:49:37 GMT"). */
int timestamp_http(const char *text, int64_t *seconds);

#endif
