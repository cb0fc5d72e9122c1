#ifndef GS_PKCE_H
#define GS_PKCE_H

/* Proof key for code exchange (RFC 7636, S256): whoever redeems a code proves that it also
 * requested it. */

#define PKCE_TEXT 44 /* 32 bytes in base64url, and a NUL */

struct pkce {
	char verifier[PKCE_TEXT];  /* stays here until the code is redeemed; wipe it */
	char challenge[PKCE_TEXT]; /* goes into the address */
	char state[PKCE_TEXT];     /* comes back with the code */
};

/* 0 or -errno: no random numbers, or no SHA-256. */
int pkce_init(struct pkce *pkce);

/* The challenge to a verifier. */
int pkce_challenge(const char *verifier, char challenge[PKCE_TEXT]);

#endif
