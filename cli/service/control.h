#ifndef GS_CLI_CONTROL_H
#define GS_CLI_CONTROL_H

/* Questions to a supervisor that runs already: protocol/control.h, 3. */

#include "cli/service/cli.h"
#include "protocol/control.h"

/* Connect to the supervisor at path (NULL: GLOBUS_STREAMS_SUPERVISOR, else the one that systemd
 * starts for this user). A descriptor, or -1 with cli->failure. */
int control_open(struct cli *cli, const char *path);

/* Put a question, whose header is filled in here, and wait for its answer, an op of size bytes,
 * into answer (NULL: nothing but an error or its absence is answered). 0, a positive errno that the
 * supervisor says, or -1 with cli->failure. */
int control_ask(struct cli *cli, int fd, enum control_op op, struct control_header *question,
		size_t size, struct control_header *answer, size_t answer_size);

#endif
