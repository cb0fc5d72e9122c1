#ifndef GS_TUNNEL_WAIT_H
#define GS_TUNNEL_WAIT_H

#include "cli/base/options.h"
#include "cli/service/cli.h"
#include "cli/service/transfer.h"

#define TUNNEL_WAIT_MAX 5256000 /* seconds */

/* The row of --wait[=SECONDS], and its value without seconds: until the tunnel ends. */
#define OPTION_WAIT(type, what)                                                                    \
	{                                                                                          \
		0, "wait", "SECONDS", what, OPTION_MAYBE, offsetof(type, wait), 1, TUNNEL_WAIT_MAX \
	}
#define TUNNEL_WAIT_FOREVER                                                                        \
	{                                                                                          \
		false, TUNNEL_WAIT_MAX                                                             \
	}

/* Poll until the tunnel is active and its contact known, for at most seconds, which also limits
 * everything else in this run (patience.h). 0 with tunnel, or -1 with cli->failure, also if it
 * ends first. */
int tunnel_wait_active(struct cli *cli, const char *id, long long seconds, struct tunnel *tunnel);

/* The same until it has stopped. */
int tunnel_wait_stopped(struct cli *cli, const char *id, long long seconds, struct tunnel *tunnel);

/* Whether a tunnel has stopped, not only begun to. */
bool tunnel_wait_is_stopped(const struct tunnel *tunnel);

/* Pause between two requests, with the progress line; false: the time is over, or a signal came.
 * start: clock_ms() of the first. */
bool tunnel_wait_pause(const char *what, long long start);

#endif
