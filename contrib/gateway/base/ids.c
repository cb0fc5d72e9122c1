#include "contrib/gateway/base/ids.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		at += got;
		len -= (size_t)got;
	}
}

void new_uuid(uuid_text id)
{
	uint8_t bytes[UUID_BYTES];

	random_bytes(bytes, sizeof(bytes));
	bytes[6] = (bytes[6] & 0x0f) | 0x40; /* version 4, RFC 9562 5.4 */
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	uuid_format(bytes, id);
}

void new_secret(char secret[SECRET_TEXT + 1])
{
	uint8_t bytes[SECRET_BYTES];

	random_bytes(bytes, sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), secret);
	wipe(bytes, sizeof(bytes));
}

int uuid_canonical(const char *text, uuid_text id)
{
	uint8_t bytes[UUID_BYTES];
	int error = uuid_parse(text, bytes);

	if (!error)
		uuid_format(bytes, id);
	return error;
}

void hex_encode(const uint8_t *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * len] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int hex_decode(const char *text, uint8_t *bytes, size_t len)
{
	if (strlen(text) != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

void digest_of(const char *text, uint8_t digest[DIGEST_BYTES])
{
	unsigned int len = DIGEST_BYTES;

	if (!EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL))
		abort();
}

bool same_bytes(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

bool same_secret(const char *a, const char *b)
{
	uint8_t digest_a[DIGEST_BYTES], digest_b[DIGEST_BYTES];

	digest_of(a, digest_a);
	digest_of(b, digest_b);
	return same_bytes(digest_a, digest_b, DIGEST_BYTES);
}

void wipe(void *bytes, size_t len)
{
	OPENSSL_cleanse(bytes, len);
}
