#ifndef GS_TUNNEL_RECORD_H
#define GS_TUNNEL_RECORD_H

#include "cli/service/cli.h"
#include "cli/service/transfer.h"

/* Print a tunnel: its record, or with --format json what the service answered. */
void tunnel_record_print(const struct cli *cli, const struct tunnel *tunnel);

/* Set an attribute of the tunnel whose id is a command's word: 0 with *tunnel, to be finished, or
 * -1 with cli->failure. */
int tunnel_record_change(struct cli *cli, const char *word, const char *attribute,
			 const char *value, struct tunnel *tunnel);

#endif
