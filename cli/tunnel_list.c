#include <stdlib.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/transfer.h"

#define COLUMNS 4

static int print_table(struct cli *cli, const cJSON *list)
{
	static const char *const heads[COLUMNS] = {"ID", "Label", "State", "Created Time"};
	size_t rows = 0;
	const char **cells = calloc((size_t)cJSON_GetArraySize(list) + 1, COLUMNS * sizeof(*cells));
	if (!cells)
		return failure_memory(&cli->failure);
	const cJSON *item;
	int err = 0;
	cJSON_ArrayForEach(item, list)
	{
		struct tunnel tunnel;
		err = transfer_tunnel_of(cli, item, &tunnel);
		if (err)
			break;
		const char **row = cells + rows++ * COLUMNS;
		row[0] = tunnel.id;
		row[1] = tunnel.label;
		row[2] = tunnel.state;
		row[3] = tunnel.created;
	}
	if (!err)
		output_table(heads, COLUMNS, cells, rows);
	free(cells);
	return err;
}

static int run(struct cli *cli, const void *values, char **words)
{
	cJSON *list;
	if (transfer_list(cli, "/v2/tunnels", "", "the tunnels", &list) < 0)
		return -1;
	int err = 0;
	if (cli->json)
		output_json_list(list);
	else
		err = print_table(cli, list);
	cJSON_Delete(list);
	return err;
}

const struct command tunnel_list_command = {
	.name = "list",
	.summary = "list your tunnels",
	.run = run,
};
