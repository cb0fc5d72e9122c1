#ifndef GW_CODES_H
#define GW_CODES_H

/* Authorization codes: what /v2/oauth2/authorize hands out, and the token endpoint takes once. They
 * live in memory only, for ten minutes. */

#include "contrib/gateway/state/scopes.h"

#define REDIRECT_URI_MAX 255

struct code {
	uuid_text client;
	char redirect_uri[REDIRECT_URI_MAX + 1];
	char challenge[44]; /* of PKCE S256: 43 characters of base64url */
	struct scope_group groups[SCOPE_GROUPS_MAX];
	size_t group_count;
	bool offline; /* refresh tokens are wanted */
};

/* Keep it, and write the text by which it can be taken. */
void codes_add(const struct code *code, char text[SECRET_TEXT + 1]);

/* Take a code out: false when there is none, or it has expired. */
bool codes_take(const char *text, struct code *code);

/* The verifier is the one whose challenge the code was asked for with (RFC 7636 4.6). */
bool code_verify(const struct code *code, const char *verifier);

#endif
