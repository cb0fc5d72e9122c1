#ifndef GS_AUTH_H
#define GS_AUTH_H

/* Access tokens: from the cache, by client credentials, or by renewing a login. */

#include <cjson/cJSON.h>

#include "cli/service/cli.h"

#define TRANSFER_SERVER "transfer.api.globus.org"
#define TRANSFER_SCOPE  "urn:globus:auth:scope:transfer.api.globus.org:all"

#define AUTH_SERVER "auth.globus.org"
#define AUTH_SCOPES "openid profile email"

/* What Auth needs besides, to list the identities that are linked to the user's. */
#define IDENTITIES_SCOPE "urn:globus:auth:scope:auth.globus.org:view_identity_set"

/* Our identity towards Auth. Texts belong to the environment and to cli. */
struct credentials {
	const char *client;
	const char *secret; /* NULL: a user's login */
	const char *source; /* what named the client: "GLOBUS_STREAMS_CLIENT_ID" */
};

/* GLOBUS_CLI_CLIENT_ID and _SECRET take precedence over the client for logins (client.h). 0, or -1
 * with cli->failure: one without the other, or no client. */
int auth_credentials(struct cli *cli, struct credentials *credentials);

/* The scope for an endpoint's GCS Manager. Free it. */
char *auth_endpoint_scope(const char *endpoint);

/* A token for a resource server, with that scope. rejected: a token that the service refused
 * (401); NULL at first: any valid one is used. If several processes need a new one, one asks and
 * the others use its result. *token is to be wiped and freed. 0, or -1 with cli->failure. */
int auth_token(struct cli *cli, const char *server, const char *scope, const char *rejected,
	       char **token);

/* Make a request to Auth's token endpoints: path such as "/v2/oauth2/token", pairs as http_form()
 * takes them. *answer is JSON, or NULL where the body was empty; json_wipe() it. */
int auth_request(struct cli *cli, const struct credentials *credentials, const char *path,
		 const char *const *pairs, cJSON **answer);

/* Put every token of a token answer into the list. */
int auth_take(struct cli *cli, const struct credentials *credentials, cJSON *list,
	      const cJSON *answer);

/* Make the list the cache, under its lock, which the caller holds. If that is not possible, there
 * is a warning: a cache that cannot be written only costs time. */
void auth_save(const struct cli *cli, const cJSON *list);

#endif
