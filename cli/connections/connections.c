#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/command/command.h"
#include "cli/connections/accounting.h"
#include "cli/connections/quantity.h"
#include "cli/connections/watch.h"
#include "cli/service/output.h"
#include "cli/service/table.h"

/* connections: those through the tunnels of this user, and what limits each. */

#define MEASURED_MS 250 /* between the two looks of a table */
#define COLUMNS     12
#define CELL        64

struct values {
	const char *base_dir, *accounting;
	bool watch;
};

static const struct option_spec options[] = {
	{0, "watch", NULL, "show them on a screen that is drawn again each second", OPTION_FLAG,
	 offsetof(struct values, watch)},
	{0, "accounting", "FILE", "append a line of JSON for each that ends, until a signal",
	 OPTION_TEXT, offsetof(struct values, accounting)},
	OPTION_BASE_DIR(struct values),
	{0},
};

static int measure(struct cli *cli, struct survey *survey, const struct places *places)
{
	const struct timespec pause = {.tv_nsec = MEASURED_MS * 1000000L};
	if (survey_look(survey, places, false, &cli->failure) < 0)
		return -1;
	if (!survey->count)
		return 0;
	nanosleep(&pause, NULL);
	return survey_look(survey, places, true, &cli->failure);
}

/* For a table: by tunnel, then by process, the older first. */
static int in_order(const void *a, const void *b)
{
	const struct connection *one = a, *other = b;
	int order = strcmp(one->place->id, other->place->id);
	if (order == 0)
		order = one->pid - other->pid;
	if (order == 0)
		order = one->now.cookie < other->now.cookie ? -1 : 1;
	return order;
}

static void rate_text(double bytes, char text[QUANTITY_TEXT])
{
	char number[QUANTITY_TEXT];
	quantity_bytes(bytes, number);
	snprintf(text, QUANTITY_TEXT, "%.20s/s", number);
}

static void fill_row(const struct connection *connection, char (*cells)[CELL])
{
	char text[QUANTITY_TEXT], other[QUANTITY_TEXT];
	snprintf(cells[0], CELL, "%s", connection->place->id);
	if (connection->pid)
		snprintf(cells[1], CELL, "%s (%d)", connection->process, connection->pid);
	else
		snprintf(cells[1], CELL, "%s", connection->process);
	sockets_end_format(&connection->now.peer, cells[2]);
	quantity_time(connection->age_ms, text);
	snprintf(cells[3], CELL, "%s%s", connection->began ? "" : "> ", text);
	quantity_bytes((double)connection->sent, cells[4]);
	quantity_bytes((double)connection->received, cells[5]);
	rate_text(connection->sent_rate, cells[6]);
	rate_text(connection->received_rate, cells[7]);
	quantity_short_time(connection->now.info.tcpi_rtt, cells[8]);
	snprintf(cells[9], CELL, "%u", connection->now.info.tcpi_total_retrans);
	quantity_bytes(connection->now.unsent, text);
	quantity_bytes(connection->now.unread, other);
	snprintf(cells[10], CELL, "%s / %s", text, other);
	snprintf(cells[11], CELL, "%s", verdict_text(connection->verdict));
}

static int print_table(struct cli *cli, const struct survey *survey)
{
	static const char *const heads[COLUMNS] = {
		"Tunnel",          "Process", "Peer",       "Age",        "Sent",
		"Received",        "Sent/s",  "Received/s", "Round Trip", "Retransmitted",
		"Unsent / Unread", "Verdict"};
	cleanup_free char(*texts)[CELL] = calloc(survey->count * COLUMNS + 1, CELL);
	cleanup_free const char **cells = calloc(survey->count * COLUMNS + 1, sizeof(*cells));
	if (!texts || !cells)
		return failure_memory(&cli->failure);
	for (size_t i = 0; i < survey->count; i++)
		fill_row(&survey->list[i], texts + i * COLUMNS);
	for (size_t i = 0; i < survey->count * COLUMNS; i++)
		cells[i] = texts[i];
	table_print(heads, COLUMNS, cells, survey->count);
	return 0;
}

static void add_number(cJSON *object, const char *name, double value)
{
	cJSON_AddNumberToObject(object, name, value);
}

static void add_process(cJSON *object, const struct connection *connection)
{
	if (!connection->pid) {
		cJSON_AddNullToObject(object, "pid");
		cJSON_AddNullToObject(object, "process");
		return;
	}
	add_number(object, "pid", connection->pid);
	cJSON_AddStringToObject(object, "process", connection->process);
}

static cJSON *make_json(const struct connection *connection)
{
	cJSON *object = cJSON_CreateObject();
	char text[SOCKETS_END_TEXT];
	const struct sockets_look *now = &connection->now;
	cJSON_AddStringToObject(object, "tunnel_id", connection->place->id);
	cJSON_AddStringToObject(object, "side",
				connection->place->listener ? "listener" : "initiator");
	add_process(object, connection);
	add_number(object, "uid", now->user);
	sockets_end_format(&now->here, text);
	cJSON_AddStringToObject(object, "local", text);
	sockets_end_format(&now->peer, text);
	cJSON_AddStringToObject(object, "peer", text);
	add_number(object, "age_ms", (double)connection->age_ms);
	cJSON_AddBoolToObject(object, "age_is_least", !connection->began);
	add_number(object, "sent_bytes", (double)connection->sent);
	add_number(object, "received_bytes", (double)connection->received);
	add_number(object, "sent_bytes_per_second", (double)(long long)connection->sent_rate);
	add_number(object, "received_bytes_per_second",
		   (double)(long long)connection->received_rate);
	add_number(object, "round_trip_us", now->info.tcpi_rtt);
	add_number(object, "retransmitted_packets", now->info.tcpi_total_retrans);
	add_number(object, "unsent_bytes", now->unsent);
	add_number(object, "unread_bytes", now->unread);
	cJSON_AddStringToObject(object, "verdict", verdict_name(connection->verdict));
	cJSON_AddStringToObject(object, "verdict_text", verdict_text(connection->verdict));
	return object;
}

static int print_json(const struct survey *survey)
{
	cJSON *list = cJSON_CreateArray();
	for (size_t i = 0; i < survey->count; i++)
		cJSON_AddItemToArray(list, make_json(&survey->list[i]));
	output_json_list(list);
	cJSON_Delete(list);
	return 0;
}

static int show(struct cli *cli, const struct values *values, struct places *places,
		struct survey *survey)
{
	if (values->accounting)
		return accounting_run(cli, survey, places, values->accounting);
	if (values->watch && !cli->json && watch_is_possible())
		return watch_run(cli, survey, places);
	if (measure(cli, survey, places) < 0)
		return -1;
	if (survey->count)
		qsort(survey->list, survey->count, sizeof(*survey->list), in_order);
	return cli->json ? print_json(survey) : print_table(cli, survey);
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct places places;
	struct survey survey = {0};
	if (values->accounting && values->watch)
		return failure_set(
			&cli->failure, STATUS_USAGE,
			"--accounting and --watch exclude each other; start two commands");
	int err = places_read(&places, cli, values->base_dir, words[0]);
	if (!err)
		err = show(cli, values, &places, &survey);
	survey_finish(&survey);
	places_finish(&places);
	return err;
}

const struct command connections_command = {
	.name = "connections",
	.words = "[TUNNEL_ID]",
	.summary = "show the connections through tunnels, and what limits each",
	.about = "Without TUNNEL_ID, those of all tunnels that have an environment here. Rates are "
		 "measured over a quarter of a second, with --watch over a second.",
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
