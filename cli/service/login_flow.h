#ifndef GS_LOGIN_FLOW_H
#define GS_LOGIN_FLOW_H

/* A user's login: authorization code with PKCE. */

#include <stdbool.h>

#include "cli/base/terminal.h"
#include "cli/service/answer.h"
#include "cli/service/auth.h"

#define LOGIN_SCOPES AUTH_SCOPES " " TRANSFER_SCOPE

struct login_wish {
	const char *scopes;              /* separated by spaces */
	const struct demands *demands;   /* requirements for the login; NULL: none */
	bool browser;                    /* open one and catch the redirect, if possible */
	const struct terminal *terminal; /* where the address is printed and the code read */
	bool remember;                   /* the client id, for later logins and commands */
};

/* Whether this is a desktop whose browser reaches our loopback. */
bool login_flow_has_browser(void);

/* Log in, and put the tokens into the cache. 0, or -1 with cli->failure. */
int login_flow(struct cli *cli, const struct credentials *credentials,
	       const struct login_wish *wish);

#endif
