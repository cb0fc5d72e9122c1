#ifndef GS_CONTACT_H
#define GS_CONTACT_H

/* Contact strings: HOST:PORT, where HOST is a name, an IPv4 address or an IPv6 address (in brackets
 * when written; read without them too where only one reading is possible). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTACT_HOST_MAX 253 /* RFC 1035: a name as text, without the last dot */
#define CONTACT_TEXT_MAX (CONTACT_HOST_MAX + sizeof("[]:65535"))
#define UUID_TEXT        36
#define UUID_BYTES       16

struct contact {
	char host[CONTACT_HOST_MAX + 1]; /* lower case, no brackets, no closing dot */
	uint16_t port;                   /* 1–65535 */
};

/* 0, or -EINVAL: no port, a port out of range, an empty or too long host, a character that no host
 * name or address has; -EDOM: the host looks like an IPv4 address, but is none ("999.0.2.164"). */
int contact_parse(const char *text, struct contact *contact);

/* Write HOST:PORT, NUL-terminated; an IPv6 address gets brackets. */
void contact_format(const struct contact *contact, char text[CONTACT_TEXT_MAX]);

/* A host name in the form that contact_parse() gives: 0, -EINVAL or -EDOM as there. host may be at
 * most CONTACT_HOST_MAX long. */
int contact_host(const char *text, char host[CONTACT_HOST_MAX + 1]);

/* The tunnel id in "globus.<uuid>" (any case), written in lower case; false: another name. */
bool contact_is_globus(const char *host, char uuid[UUID_TEXT + 1]);

/* A UUID as text (8-4-4-4-12 hexadecimal digits, RFC 9562) into its 16 bytes: 0 or -EINVAL. */
int uuid_parse(const char *text, uint8_t bytes[UUID_BYTES]);
void uuid_format(const uint8_t bytes[UUID_BYTES], char text[UUID_TEXT + 1]);

#endif
