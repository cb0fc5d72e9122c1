#include <stdlib.h>
#include <string.h>

#include "cli/command/command.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/table.h"
#include "cli/service/transfer.h"

#define COLUMNS 3

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

/* Remove those without text in their name, organization or id, ignoring case. */
static int keep_matching(struct cli *cli, cJSON *list, const char *text)
{
	cJSON *next;
	for (cJSON *item = list->child; item; item = next) {
		struct row row;
		next = item->next;
		if (read_row(cli, item, &row) < 0)
			return -1;
		if (text && !strcasestr(row.id, text) &&
		    !(row.name && strcasestr(row.name, text)) &&
		    !(row.organization && strcasestr(row.organization, text)))
			cJSON_Delete(cJSON_DetachItemViaPointer(list, item));
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

static int run_list(struct cli *cli, const void *values, char **words)
{
	cJSON *list;
	if (transfer_list(cli, "/v2/stream_access_points", "the access points", &list) < 0)
		return -1;
	int err = keep_matching(cli, list, words[0]);
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
	.words_max = 1,
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
