#include <stdio.h>

#include "cli/command/command.h"
#include "cli/service/output.h"
#include "cli/service/transfer.h"

static int run(struct cli *cli, const void *values, char **words)
{
	char id[37];
	if (cli_uuid(cli, "a tunnel's", words[0], id) < 0)
		return -1;
	if (transfer_delete(cli, id) < 0) {
		if (cli->failure.http == 409)
			failure_append(&cli->failure,
				       "; stop it first: globus-streams tunnel stop --wait %s", id);
		return -1;
	}
	if (cli->json) {
		cJSON *object = cJSON_CreateObject();
		cJSON_AddStringToObject(object, "deleted", id);
		output_json(object);
		cJSON_Delete(object);
	} else {
		printf("Tunnel deleted successfully\n");
	}
	return 0;
}

const struct command tunnel_delete_command = {
	.name = "delete",
	.words = "TUNNEL_ID",
	.summary = "delete a tunnel that has stopped",
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
