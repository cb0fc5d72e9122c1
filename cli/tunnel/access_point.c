#include <stdlib.h>

#include "cli/command/command.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/table.h"
#include "cli/service/transfer.h"

#define COLUMNS 3

struct values {
	const char *text;
	bool admin;
};

static const struct option_spec options[] = {
	{0, "filter-fulltext", "TEXT", "the same as TEXT", OPTION_TEXT,
	 offsetof(struct values, text)},
	{0, "filter-endpoint-admin", NULL, "only those of endpoints that you administer",
	 OPTION_FLAG, offsetof(struct values, admin)},
	{0},
};

struct row {
	const char *id, *name, *organization;
};

static const struct json_field fields[] = {
	{"id", JSON_UUID, true, offsetof(struct row, id)},
	{"attributes.display_name", JSON_TEXT, false, offsetof(struct row, name)},
	{"attributes.organization", JSON_TEXT, false, offsetof(struct row, organization)},
};

static int read_row(struct cli *cli, const cJSON *item, struct row *row)
{
	const char *at;
	*row = (struct row){0};
	if (json_read(item, fields, sizeof(fields) / sizeof(*fields), row, &at) < 0)
		return call_lacks(cli, "Transfer", "the access points", at);
	return 0;
}

/* Check that all are complete, whatever the output format. */
static int check(struct cli *cli, const cJSON *list)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		struct row row;
		if (read_row(cli, item, &row) < 0)
			return -1;
	}
	return 0;
}

static int print_table(struct cli *cli, const cJSON *list)
{
	static const char *const heads[COLUMNS] = {"ID", "Display Name", "Organization"};
	size_t rows = 0;
	const char **cells = calloc((size_t)cJSON_GetArraySize(list) + 1, COLUMNS * sizeof(*cells));
	if (!cells)
		return failure_memory(&cli->failure);
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		struct row row;
		if (read_row(cli, item, &row) < 0)
			break;
		const char **cell = cells + rows++ * COLUMNS;
		cell[0] = row.id;
		cell[1] = row.name;
		cell[2] = row.organization;
	}
	table_print(heads, COLUMNS, cells, rows);
	free(cells);
	return 0;
}

static int run_list(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	cJSON *list;
	if (words[0] && values->text)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "TEXT and --filter-fulltext are the same; give one of them");
	const char *const filters[] = {"filter%5Bfulltext%5D", words[0] ? words[0] : values->text,
				       "filter%5Bendpoint_admin%5D", values->admin ? "true" : NULL,
				       NULL};
	if (transfer_find(cli, "/v2/stream_access_points", filters, "the access points", &list) < 0)
		return -1;
	int err = check(cli, list);
	if (!err && cli->json)
		output_json_list(list);
	else if (!err)
		err = print_table(cli, list);
	cJSON_Delete(list);
	return err;
}

static int run_show(struct cli *cli, const void *values, char **words)
{
	char id[37];
	struct access_point point;
	if (cli_uuid(cli, "an access point's", words[0], id) < 0 ||
	    transfer_access_point(cli, id, &point) < 0)
		return -1;
	const struct output_field record[] = {
		{"ID", point.id},
		{"Display Name", point.name},
		{"Contact Email", point.email},
		{"Contact Info", point.info},
		{"Department", point.department},
		{"Description", point.description},
		{"Info Link", point.link},
		{"Organization", point.organization},
		{"Endpoint", point.endpoint},
	};
	if (cli->json)
		output_json(point.document);
	else
		output_record(record, sizeof(record) / sizeof(*record));
	access_point_finish(&point);
	return 0;
}

const struct command access_point_list_command = {
	.name = "list",
	.words = "[TEXT]",
	.summary = "list access points; with TEXT, only those that match",
	.about =
		"TEXT is searched for in what an access point says of itself, or is the id of one.",
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run_list,
};

const struct command access_point_show_command = {
	.name = "show",
	.words = "ACCESS_POINT_ID",
	.summary = "show a stream access point",
	.words_min = 1,
	.words_max = 1,
	.run = run_show,
};
