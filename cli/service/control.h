#ifndef GS_CLI_CONTROL_H
#define GS_CLI_CONTROL_H

/* Requests to a running supervisor: protocol/control.h, 3. */

#include "cli/service/cli.h"
#include "protocol/control.h"

/* Connect to the supervisor at path (NULL: GLOBUS_STREAMS_SUPERVISOR, else the one that systemd
 * starts for this user). A descriptor, or -1 with cli->failure. */
int control_open(struct cli *cli, const char *path);

/* Send a request, whose header is filled in here, and wait for its answer of answer_size bytes
 * (answer NULL: only success or an error is answered). 0, a positive errno from the supervisor,
 * or -1 with cli->failure. */
int control_ask(struct cli *cli, int fd, enum control_op op, struct control_header *question,
		size_t size, struct control_header *answer, size_t answer_size);

#endif
