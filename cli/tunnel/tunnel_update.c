#include "cli/command/command.h"
#include "cli/tunnel/tunnel_record.h"

struct values {
	const char *label;
};

static const struct option_spec options[] = {
	{0, "label", "TEXT", "set the name of the tunnel", OPTION_TEXT,
	 offsetof(struct values, label)},
	{0},
};

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct tunnel tunnel;
	if (!values->label)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "nothing to change; give --label TEXT");
	if (tunnel_record_change(cli, words[0], "label", values->label, &tunnel) < 0)
		return -1;
	tunnel_record_print(cli, &tunnel);
	tunnel_finish(&tunnel);
	return 0;
}

const struct command tunnel_update_command = {
	.name = "update",
	.words = "TUNNEL_ID",
	.summary = "change a tunnel's label",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
