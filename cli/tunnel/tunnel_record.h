#ifndef GS_TUNNEL_RECORD_H
#define GS_TUNNEL_RECORD_H

#include "cli/service/cli.h"
#include "cli/service/transfer.h"

/* Print a tunnel: its record, or with --format json what the service answered. */
void tunnel_record_print(const struct cli *cli, const struct tunnel *tunnel);

#endif
