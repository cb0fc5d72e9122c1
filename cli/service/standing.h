#ifndef GS_STANDING_H
#define GS_STANDING_H

/* What a tunnel's state means for its use. An unknown state does not count as ended. */

#include <stdbool.h>

#include "cli/service/cli.h"
#include "cli/service/transfer.h"
#include "protocol/contact.h"

bool standing_active(const struct tunnel *tunnel);
bool standing_ended(const struct tunnel *tunnel);

/* The contact of the initiator's or the listener's side; port 0: none yet. 0, or -1 with
 * cli->failure: the service's answer is not a contact. */
int standing_initiator(struct cli *cli, const struct tunnel *tunnel, struct contact *contact);
int standing_listener(struct cli *cli, const struct tunnel *tunnel, struct contact *contact);

/* Set cli->failure: why it cannot be used now, and what to do. Always -1. */
int standing_explain(struct cli *cli, const struct tunnel *tunnel);

/* When it ends, in epoch seconds: created_time + lifetime_mins. 0, or -1 with cli->failure. */
int standing_expiration(struct cli *cli, const struct tunnel *tunnel, int64_t *seconds);

#endif
