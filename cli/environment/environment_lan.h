#ifndef GS_ENVIRONMENT_LAN_H
#define GS_ENVIRONMENT_LAN_H

/* Which LAN authentication there can be with an access point, and what that means to who asked for
 * an environment. */

#include "cli/service/cli.h"
#include "cli/service/gcs.h"

struct environment_lan {
	const char *endpoint, *access_point;
	bool listener, insecure;
	enum lan_kind kind;
};

/* Find out lan->kind. 0 where that can be used as it was asked for, with a warning where it is
 * without authentication; else -1 with cli->failure. */
int environment_lan_check(struct cli *cli, struct environment_lan *lan);

/* What an access point is, in words, for the doctor too; why: from gcs_lan_kind(). Free it; NULL:
 * no memory. */
char *environment_lan_words(enum lan_kind kind, const char *access_point, const char *why);

#endif
