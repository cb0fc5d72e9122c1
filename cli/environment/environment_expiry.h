#ifndef GS_ENVIRONMENT_EXPIRY_H
#define GS_ENVIRONMENT_EXPIRY_H

/* When a tunnel ends, by its conf file and by Transfer. What the conf file says may be wrong: the
 * tunnel was extended, or Globus's own CLI wrote the file, which counts minutes as seconds. */

#include "cli/command/environment.h"
#include "cli/service/transfer.h"

/* Whether the time in the conf file has passed, or there is none: then Transfer has to be asked. */
bool environment_expiry_passed(const struct environment *environment);

/* Ask Transfer. *ended: the tunnel has ended, or is gone; else its end is put into the conf, which
 * the caller writes. 0, or -1 with cli->failure: it is not known. */
int environment_expiry_ask(struct cli *cli, struct environment *environment, bool *ended);

/* Put the end of a tunnel that Transfer has told of into the conf. 0, or -1 with cli->failure. */
int environment_expiry_set(struct cli *cli, struct environment *environment,
			   const struct tunnel *tunnel);

#endif
