#ifndef GS_GCS_H
#define GS_GCS_H

/* An endpoint's GCS Manager: LAN secrets, and what its access points demand of a LAN connection.
 * Functions return 0, or -1 with cli->failure. */

#include "cli/service/cli.h"

struct lan_secret {
	char *secret; /* wiped by lan_secret_finish() */
	char id[37];
};

/* Make a LAN secret for our end of a tunnel, at that endpoint's access point. */
int gcs_create_secret(struct cli *cli, const char *endpoint, const char *access_point,
		      const char *tunnel, struct lan_secret *secret);

/* Delete one. One that no longer exists is no failure. */
int gcs_delete_secret(struct cli *cli, const char *endpoint, const char *id);

enum lan_kind {
	LAN_OURS,     /* the manager speaks globus-streams-lan-auth(7) */
	LAN_OPEN,     /* Globus's own; no LAN authentication is required */
	LAN_REQUIRED, /* Globus's own, which is not published */
	LAN_UNKNOWN,  /* Globus's own; whether it is required could not be learnt */
};

/* Ask the manager of an access point's endpoint. With LAN_UNKNOWN, *why says why in a sentence to
 * be freed, and cli->failure.status is STATUS_LOGIN if a login would tell; else it is NULL. An
 * answer that cannot be understood is a failure. */
int gcs_lan_kind(struct cli *cli, const char *endpoint, const char *access_point,
		 enum lan_kind *kind, char **why);

void lan_secret_finish(struct lan_secret *secret);

#endif
