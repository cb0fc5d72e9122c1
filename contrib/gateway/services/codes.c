#include "contrib/gateway/services/codes.h"

#include <openssl/evp.h>
#include <string.h>

#define CODES_MAX 64  /* beyond that the oldest goes */
#define LIFETIME  600 /* s */

static struct kept {
	struct code code;
	uint8_t digest[DIGEST_BYTES];
	int64_t expires; /* epoch s; 0: not in use */
} kept[CODES_MAX];

void codes_add(const struct code *code, char text[SECRET_TEXT + 1])
{
	static size_t next;
	struct kept *place = &kept[next++ % CODES_MAX];

	new_secret(text);
	place->code = *code;
	digest_of(text, place->digest);
	place->expires = epoch_now() + LIFETIME;
}

bool codes_take(const char *text, struct code *code)
{
	uint8_t digest[DIGEST_BYTES];

	digest_of(text, digest);
	for (size_t i = 0; i < CODES_MAX; i++) {
		if (kept[i].expires <= epoch_now() ||
		    !same_bytes(kept[i].digest, digest, DIGEST_BYTES))
			continue;
		*code = kept[i].code;
		kept[i].expires = 0;
		return true;
	}
	return false;
}

bool code_verify(const struct code *code, const char *verifier)
{
	uint8_t digest[DIGEST_BYTES];
	char text[48];

	digest_of(verifier, digest);
	EVP_EncodeBlock((unsigned char *)text, digest, DIGEST_BYTES);
	text[43] = '\0'; /* the padding; the rest differs from base64url in two characters */
	for (char *c = text; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return same_secret(text, code->challenge);
}
