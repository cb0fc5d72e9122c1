#ifndef GS_CLIENT_H
#define GS_CLIENT_H

/* The client id that users' logins are made with. `login --client-id` stores it in client.json
 * (0600) beside the tokens of the profile: one for each Auth, as ids are not the same in Globus's
 * other environments. */

#include "cli/service/auth.h"

#define CLIENT_REMEMBERED "login --client-id" /* the source of a remembered id */

/* GLOBUS_STREAMS_CLIENT_ID, else what is remembered, else the one this program was built with. The
 * text belongs to cli. 0, or -1 with cli->failure: there is none, or it is not a UUID. */
int client_choose(struct cli *cli, struct credentials *credentials);

/* Remember the id for the profile and the Auth in use, under the lock of the tokens, which the
 * caller holds. 0, or -1 with failure. */
int client_remember(const struct cli *cli, const char *issuer, const char *id,
		    struct failure *failure);

#endif
