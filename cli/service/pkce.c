#include "cli/service/pkce.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#define BYTES 32

static void base64url(const uint8_t bytes[BYTES], char text[PKCE_TEXT])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	int held = 0;
	for (int i = 0; i < BYTES; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			*text++ = digits[bits >> (held - 6) & 63];
	}
	*text++ = digits[bits << (6 - held) & 63];
	*text = '\0';
}

static int random_text(char text[PKCE_TEXT])
{
	uint8_t bytes[BYTES];
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	base64url(bytes, text);
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

int pkce_challenge(const char *verifier, char challenge[PKCE_TEXT])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	if (!EVP_Digest(verifier, strlen(verifier), digest, &len, EVP_sha256(), NULL) ||
	    len != BYTES)
		return -EIO;
	base64url(digest, challenge);
	return 0;
}

int pkce_init(struct pkce *pkce)
{
	int err = random_text(pkce->verifier);
	if (!err)
		err = random_text(pkce->state);
	return err ? err : pkce_challenge(pkce->verifier, pkce->challenge);
}
