#include <stdlib.h>

#include "cli/base/cleanup.h"
#include "cli/command/command.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/table.h"
#include "cli/service/transfer.h"

#define COLUMNS 4

/* Only the fields shown: a tunnel that lacks others must not hide the rest. */
struct row {
	const char *id, *label, *state, *created;
};

static const struct json_field fields[] = {
	{"id", JSON_UUID, true, offsetof(struct row, id)},
	{"attributes.label", JSON_TEXT, false, offsetof(struct row, label)},
	{"attributes.state", JSON_TEXT, false, offsetof(struct row, state)},
	{"attributes.created_time", JSON_TEXT, false, offsetof(struct row, created)},
};

/* Read the rows into cells, COLUMNS for each. */
static int read_rows(struct cli *cli, const cJSON *list, const char **cells)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		struct row row = {0};
		const char *at;
		if (json_read(item, fields, sizeof(fields) / sizeof(*fields), &row, &at) < 0)
			return call_lacks(cli, "Transfer", "the tunnels", at);
		*cells++ = row.id;
		*cells++ = row.label;
		*cells++ = row.state;
		*cells++ = row.created;
	}
	return 0;
}

static int print(struct cli *cli, const cJSON *list)
{
	static const char *const heads[COLUMNS] = {"ID", "Label", "State", "Created Time"};
	size_t rows = (size_t)cJSON_GetArraySize(list);
	cleanup_free const char **cells = calloc(rows + 1, COLUMNS * sizeof(*cells));
	if (!cells)
		return failure_memory(&cli->failure);
	if (read_rows(cli, list, cells) < 0)
		return -1;
	if (cli->json)
		output_json_list(list);
	else
		table_print(heads, COLUMNS, cells, rows);
	return 0;
}

static int run(struct cli *cli, const void *values, char **words)
{
	cJSON *list;
	if (transfer_list(cli, "/v2/tunnels", "the tunnels", &list) < 0)
		return -1;
	int err = print(cli, list);
	cJSON_Delete(list);
	return err;
}

const struct command tunnel_list_command = {
	.name = "list",
	.summary = "list your tunnels",
	.run = run,
};
