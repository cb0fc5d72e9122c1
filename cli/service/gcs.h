#ifndef GS_GCS_H
#define GS_GCS_H

/* An endpoint's GCS Manager: LAN secrets. Functions return 0, or -1 with cli->failure. */

#include "cli/service/cli.h"

struct lan_secret {
	char *secret; /* wiped by lan_secret_finish() */
	char id[37];
};

/* Make a LAN secret for our end of a tunnel, at that endpoint's access point. */
int gcs_create_secret(struct cli *cli, const char *endpoint, const char *access_point,
		      const char *tunnel, struct lan_secret *secret);

/* Delete one. One that is gone already is no failure. */
int gcs_delete_secret(struct cli *cli, const char *endpoint, const char *id);

void lan_secret_finish(struct lan_secret *secret);

#endif
