#ifndef GW_IDS_H
#define GW_IDS_H

/* Random identifiers and secrets, and the digests by which secrets are looked up. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/contact.h"

#define SECRET_BYTES 32                 /* 256 random bits */
#define SECRET_TEXT  (2 * SECRET_BYTES) /* as hexadecimal digits */
#define DIGEST_BYTES 32                 /* SHA-256 */

/* A UUID as text; lower case. */
typedef char uuid_text[UUID_TEXT + 1];

/* The system's random bytes. Ends the program if there are none: nothing can go on without. */
void random_bytes(void *bytes, size_t len);

/* A new random UUID (version 4), a new random secret. */
void new_uuid(uuid_text id);
void new_secret(char secret[SECRET_TEXT + 1]);

/* Write a UUID in lower case, whatever case it came in: 0, or -EINVAL where text is none. */
int uuid_canonical(const char *text, uuid_text id);

void hex_encode(const uint8_t *bytes, size_t len, char *text); /* text: 2 × len + 1 */
int hex_decode(const char *text, uint8_t *bytes, size_t len);  /* 0 or -EINVAL */

void digest_of(const char *text, uint8_t digest[DIGEST_BYTES]);

/* Compare in a time that does not depend on where they differ. */
bool same_bytes(const void *a, const void *b, size_t len);

/* The same for two strings, whatever their lengths. */
bool same_secret(const char *a, const char *b);

/* Overwrite; never optimised away. */
void wipe(void *bytes, size_t len);

#endif
