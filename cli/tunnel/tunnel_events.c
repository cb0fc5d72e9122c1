#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "cli/base/say.h"
#include "cli/command/command.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/standing.h"
#include "cli/service/table.h"
#include "cli/tunnel/tunnel_wait.h"

#define COLUMNS 4

struct values {
	bool follow, errors;
	const char *code;
};

static const struct option_spec options[] = {
	{'f', "follow", NULL, "keep printing new events until the tunnel has stopped", OPTION_FLAG,
	 offsetof(struct values, follow)},
	{0, "filter-code", "NAME", "only events with this code, such as TUNNEL_ACTIVE", OPTION_TEXT,
	 offsetof(struct values, code)},
	{0, "filter-errors", NULL, "only events that are errors", OPTION_FLAG,
	 offsetof(struct values, errors)},
	{0},
};

/* All but the id may be missing: attributes may be null. */
struct event {
	int64_t id;
	const char *code, *details, *description, *time;
	bool is_error;
};

static const struct json_field fields[] = {
	{"id", JSON_INTEGER, true, offsetof(struct event, id)},
	{"attributes.code", JSON_TEXT, false, offsetof(struct event, code)},
	{"attributes.is_error", JSON_BOOLEAN, false, offsetof(struct event, is_error)},
	{"attributes.details", JSON_TEXT, false, offsetof(struct event, details)},
	{"attributes.description", JSON_TEXT, false, offsetof(struct event, description)},
	{"attributes.time", JSON_TEXT, false, offsetof(struct event, time)},
};

static int read_event(struct cli *cli, const cJSON *item, struct event *event)
{
	const char *at;
	*event = (struct event){0};
	if (json_read(item, fields, sizeof(fields) / sizeof(*fields), event, &at) < 0)
		return call_lacks(cli, "Transfer", "the tunnel's events", at);
	return 0;
}

static int list(struct cli *cli, const char *id, const struct values *values, cJSON **events)
{
	char path[128], what[64];
	const char *const filters[] = {"code_name", values->code, "is_error",
				       values->errors ? "true" : NULL, NULL};
	snprintf(path, sizeof(path), "/v2/tunnels/%s/events", id);
	snprintf(what, sizeof(what), "tunnel %s", id);
	return transfer_find(cli, path, filters, what, events);
}

/* Check that all events are complete, whatever the output format. */
static int check(struct cli *cli, const cJSON *events)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, events)
	{
		struct event event;
		if (read_event(cli, item, &event) < 0)
			return -1;
	}
	return 0;
}

static int print_table(struct cli *cli, const cJSON *events)
{
	static const char *const heads[COLUMNS] = {"Code", "Error", "Details", "Time"};
	size_t rows = 0;
	const char **cells =
		calloc((size_t)cJSON_GetArraySize(events) + 1, COLUMNS * sizeof(*cells));
	if (!cells)
		return failure_memory(&cli->failure);
	const cJSON *item;
	int err = 0;
	cJSON_ArrayForEach(item, events)
	{
		struct event event;
		err = read_event(cli, item, &event);
		if (err)
			break;
		const char **row = cells + rows++ * COLUMNS;
		row[0] = event.code;
		row[1] = !json_at(item, "attributes.is_error") ? NULL
			 : event.is_error                      ? "True"
							       : "False";
		row[2] = event.details ? event.details : event.description;
		row[3] = event.time;
	}
	if (!err)
		table_print(heads, COLUMNS, cells, rows);
	free(cells);
	return err;
}

/* One line per event, for --follow. */
static void print_line(const struct cli *cli, const struct event *event, const cJSON *item)
{
	if (cli->json)
		output_json_line(item);
	else
		output_line("%s  %s%s  %s", event->time ? event->time : "-",
			    event->code ? event->code : "None", event->is_error ? " (error)" : "",
			    event->details       ? event->details
			    : event->description ? event->description
						 : "");
}

struct entry {
	struct event event;
	const cJSON *item;
};

static int by_id(const void *a, const void *b)
{
	const struct event *one = &((const struct entry *)a)->event;
	const struct event *other = &((const struct entry *)b)->event;
	return (one->id > other->id) - (one->id < other->id);
}

/* Print those not printed yet, oldest first: ids only grow. */
static int print_new(struct cli *cli, const cJSON *events, int64_t *last)
{
	size_t count = 0;
	cleanup_free struct entry *entries =
		calloc((size_t)cJSON_GetArraySize(events) + 1, sizeof(*entries));
	if (!entries)
		return failure_memory(&cli->failure);
	const cJSON *item;
	cJSON_ArrayForEach(item, events)
	{
		if (read_event(cli, item, &entries[count].event) < 0)
			return -1;
		entries[count++].item = item;
	}
	qsort(entries, count, sizeof(*entries), by_id);
	for (size_t i = 0; i < count; i++) {
		if (entries[i].event.id <= *last)
			continue;
		print_line(cli, &entries[i].event, entries[i].item);
		*last = entries[i].event.id;
	}
	return output_flush(&cli->failure);
}

static int follow(struct cli *cli, const char *id, const struct values *values)
{
	int64_t last = INT64_MIN;
	long long start = clock_ms();
	bool ended = false;
	for (;;) {
		struct tunnel tunnel;
		cJSON *events;
		/* First the state, then the events, so that the last ones are not missed. */
		if (transfer_tunnel(cli, id, &tunnel) < 0)
			return -1;
		ended = tunnel_wait_is_stopped(&tunnel);
		tunnel_finish(&tunnel);
		if (list(cli, id, values, &events) < 0)
			return -1;
		say_waiting(NULL);
		int err = print_new(cli, events, &last);
		cJSON_Delete(events);
		if (err || ended)
			return err;
		tunnel_wait_pause("waiting for events", start);
		if (output_gone())
			return failure_set(&cli->failure, STATUS_FAILED,
					   "the reader of stdout has closed it");
	}
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	char id[37];
	cJSON *events;
	if (cli_uuid(cli, "a tunnel's", words[0], id) < 0)
		return -1;
	if (values->code && values->errors)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "--filter-code and --filter-errors cannot be used together; "
				   "give one of them");
	if (values->follow)
		return follow(cli, id, values);
	if (list(cli, id, values, &events) < 0)
		return -1;
	int err = check(cli, events);
	if (!err && cli->json)
		output_json_list(events);
	else if (!err)
		err = print_table(cli, events);
	cJSON_Delete(events);
	return err;
}

const struct command tunnel_events_command = {
	.name = "events",
	.words = "TUNNEL_ID",
	.summary = "show the events of a tunnel",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
