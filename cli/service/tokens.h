#ifndef GS_TOKENS_H
#define GS_TOKENS_H

/*
 * The token cache, tokens.json (0600): one entry for each resource server and login. It is in
 * ~/.globus/streams, or in $GLOBUS_STREAMS_BASE_DIR if that is set: the variable moves everything
 * (for a home that is read-only, or shared by machines that must not share logins), while
 * --base-dir applies to one command, so that both ends on one host share one login. A
 * named profile has a file of its own (profile.h).
 *
 * Several processes: read without a lock, since the file is replaced as a whole; renewed and
 * written under tokens.json.lock, after reading again.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/base/failure.h"

/* Which token. */
struct token_name {
	const char *server; /* resource server */
	const char *issuer; /* Auth's base URL */
	const char *client; /* client id */
	bool login;         /* a user's login, not client credentials */
};

/* A token in the cache: the texts belong to the list it was found in. */
struct token {
	const char *access, *refresh, *scope; /* refresh, scope: may be NULL */
	int64_t expires;                      /* epoch s */
};

/* The whole cache; an empty list if it does not exist or is not valid (with a warning). NULL
 * with failure if it is not private, or unreadable. json_wipe() it. */
cJSON *tokens_load(const char *profile, struct failure *failure);

/* 0, or -1: none such. */
int tokens_find(const cJSON *list, const struct token_name *name, struct token *token);

/* Replace the token of that name; drop expired ones that cannot be renewed. */
int tokens_set(cJSON *list, const struct token_name *name, const struct token *token,
	       struct failure *failure);

/* Take out the entries of a client or of a login with it, all servers: a list. json_wipe() it. */
cJSON *tokens_take(cJSON *list, const char *issuer, const char *client, bool login);

int tokens_save(const char *profile, const cJSON *list, struct failure *failure);

/* The lock for renewing; *waited: another process had it. A descriptor to close, or -1 with
 * failure. If the folder is not writable, a descriptor that locks nothing: there is no cache to
 * protect. */
int tokens_lock(const char *profile, int *waited, struct failure *failure);

#endif
