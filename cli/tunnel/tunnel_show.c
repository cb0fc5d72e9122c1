#include "cli/command/command.h"
#include "cli/service/transfer.h"
#include "cli/tunnel/tunnel_record.h"

static int run(struct cli *cli, const void *values, char **words)
{
	char id[37];
	struct tunnel tunnel;
	if (cli_uuid(cli, "a tunnel's", words[0], id) < 0 || transfer_tunnel(cli, id, &tunnel) < 0)
		return -1;
	tunnel_record_print(cli, &tunnel);
	tunnel_finish(&tunnel);
	return 0;
}

const struct command tunnel_show_command = {
	.name = "show",
	.words = "TUNNEL_ID",
	.summary = "show a tunnel",
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
