#include <stdio.h>

#include "cli/command/command.h"
#include "cli/tunnel/tunnel_record.h"
#include "cli/tunnel/tunnel_wait.h"

struct values {
	struct option_maybe wait;
};

static const struct option_spec options[] = {
	OPTION_WAIT(struct values, "wait until the tunnel has stopped"),
	{0},
};

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct tunnel tunnel;
	if (tunnel_record_change(cli, words[0], "state", "STOPPING", &tunnel) < 0)
		return -1;
	if (values->wait.given) {
		char id[37];
		snprintf(id, sizeof(id), "%s", tunnel.id);
		tunnel_finish(&tunnel);
		if (tunnel_wait_stopped(cli, id, values->wait.value, &tunnel) < 0)
			return -1;
	}
	tunnel_record_print(cli, &tunnel);
	tunnel_finish(&tunnel);
	return 0;
}

const struct command tunnel_stop_command = {
	.name = "stop",
	.words = "TUNNEL_ID",
	.summary = "stop a tunnel; its record is kept until you delete it",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.defaults = &(const struct values){.wait = TUNNEL_WAIT_FOREVER},
	.run = run,
};
