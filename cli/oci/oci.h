#ifndef GS_OCI_H
#define GS_OCI_H

/* What the commands of `globus-streams oci` share: their options, and the tunnels. */

#include <stdbool.h>

#include "cli/base/options.h"
#include "cli/service/cli.h"

struct oci_values {
	const char *base, *socket;
	bool no_opens;
};

extern const struct option_spec oci_options[];

/* The tunnels' ids in lower case with commas between them, to be freed; NULL with cli->failure. */
char *oci_join(struct cli *cli, char **words);

/* The agent's socket: the one that was given, or that of systemd's units: root's if the runtime is
 * root's. To be freed; NULL with cli->failure. */
char *oci_socket(struct cli *cli, const struct oci_values *values, bool of_root);

/* Can this base profile be put into a config.json, for crun and runc: does all of it mean something
 * there? 0, or -1 with cli->failure. */
int oci_check_plain(struct cli *cli, const char *base);

#endif
