#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/table.h"

/* environment show and list: the conf files without their secrets. */

#define COLUMNS 4

struct values {
	const char *base_dir;
};

static const struct option_spec options[] = {
	OPTION_BASE_DIR(struct values),
	{0},
};

static const char *get(const struct environment *environment, const char *key)
{
	return conf_get(&environment->conf, key);
}

static const char *side(const struct environment *environment)
{
	return environment_is_listener(environment) ? "listener" : "initiator";
}

/* "2026-01-31 16:00:00 UTC"; NULL: unset or out of range. */
static const char *time_text(const struct environment *environment, const char *key, char text[32])
{
	struct tm tm;
	time_t when = (time_t)environment_number(environment, key, 0);
	if (!when || !gmtime_r(&when, &tm) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
		return NULL;
	return text;
}

const char *environment_end_text(const struct environment *environment,
				 char text[ENVIRONMENT_END_TEXT])
{
	char when[32];
	long long left = environment_number(environment, CONF_EXPIRATION, 0) - time(NULL);
	if (!time_text(environment, CONF_EXPIRATION, when))
		return NULL;
	if (left <= 0)
		snprintf(text, ENVIRONMENT_END_TEXT, "%s (passed)",
			 when); /* only Transfer knows if it ended */
	else
		snprintf(text, ENVIRONMENT_END_TEXT, "%s (in %lld h %02lld min)", when, left / 3600,
			 left / 60 % 60);
	return text;
}

static const char *secured_text(const struct environment *environment)
{
	const char *how = get(environment, CONF_LAN_AUTH);
	if (!get(environment, CONF_LANKEY))
		return "none";
	return how ? how : "v1";
}

static bool contact_string(const struct environment *environment, char text[80])
{
	snprintf(text, ENVIRONMENT_END_TEXT, "globus.%s:%u", environment->id,
		 environment_fake_port(environment));
	return !environment_is_listener(environment);
}

static void add_text(cJSON *object, const char *name, const char *value)
{
	if (value)
		cJSON_AddStringToObject(object, name, value);
	else
		cJSON_AddNullToObject(object, name);
}

static void add_number(cJSON *object, const char *name, const struct environment *environment,
		       const char *key)
{
	long long value = environment_number(environment, key, -1);
	if (value >= 0)
		cJSON_AddNumberToObject(object, name, (double)value);
	else
		cJSON_AddNullToObject(object, name);
}

cJSON *environment_json(const struct environment *environment)
{
	cJSON *object = cJSON_CreateObject();
	char contact[80];
	bool initiator = contact_string(environment, contact);
	add_text(object, "tunnel_id", environment->id);
	add_text(object, "base_dir", environment->base);
	add_text(object, "side", side(environment));
	add_text(object, "contact_string", initiator ? contact : NULL);
	add_text(object, CONF_CONTACT, get(environment, CONF_CONTACT));
	add_number(object, CONF_UPDATE_TIME, environment, CONF_UPDATE_TIME);
	add_number(object, CONF_CONTACT_TTL, environment, CONF_CONTACT_TTL);
	add_text(object, CONF_LISTENER_CONTACT, get(environment, CONF_LISTENER_CONTACT));
	add_text(object, CONF_GLOBUS_CONTACT, get(environment, CONF_GLOBUS_CONTACT));
	add_text(object, CONF_ENDPOINT_ID, get(environment, CONF_ENDPOINT_ID));
	add_text(object, CONF_LANKEY_ID, get(environment, CONF_LANKEY_ID));
	add_text(object, CONF_LAN_AUTH, secured_text(environment));
	add_number(object, CONF_EXPIRATION, environment, CONF_EXPIRATION);
	return object;
}

void environment_print_json(const struct environment *environment)
{
	cJSON *object = environment_json(environment);
	output_json(object);
	cJSON_Delete(object);
}

static void print_record(const struct environment *environment)
{
	char contact[80], updated[32], expiry[ENVIRONMENT_END_TEXT];
	bool initiator = contact_string(environment, contact);
	const struct output_field fields[] = {
		{"Tunnel", environment->id},
		{"Side", side(environment)},
		{"Base Directory", environment->base},
		{"Contact String", initiator ? contact : NULL},
		{"Mapped Hosts", get(environment, CONF_GLOBUS_CONTACT)},
		{"Access Point Contact", get(environment, CONF_CONTACT)},
		{"Updated", time_text(environment, CONF_UPDATE_TIME, updated)},
		{"Contact TTL", get(environment, CONF_CONTACT_TTL)},
		{"Listener Contact", get(environment, CONF_LISTENER_CONTACT)},
		{"Endpoint", get(environment, CONF_ENDPOINT_ID)},
		{"LAN Authentication", secured_text(environment)},
		{"LAN Secret ID", get(environment, CONF_LANKEY_ID)},
		{"Expires", environment_end_text(environment, expiry)},
	};
	output_record(fields, sizeof(fields) / sizeof(*fields));
}

static int run_show(struct cli *cli, const void *given, char **words)
{
	struct environment environment;
	int err = environment_init(&environment, cli, ((const struct values *)given)->base_dir,
				   words[0]);
	if (!err)
		err = environment_read(&environment, cli);
	if (!err)
		err = environment_check(&environment, cli);
	if (!err && cli->json)
		environment_print_json(&environment);
	else if (!err)
		print_record(&environment);
	environment_finish(&environment);
	return err;
}

/* The environments of ids, those that can be read: rows of a table, or elements of list. */
static size_t gather(struct cli *cli, const char *base_dir, char *const *ids, size_t count,
		     char **cells, cJSON *list)
{
	size_t rows = 0;
	for (size_t i = 0; i < count; i++) {
		struct environment environment;
		char expiry[ENVIRONMENT_END_TEXT];
		if (environment_init(&environment, cli, base_dir, ids[i]) < 0 ||
		    environment_read(&environment, cli) < 0 ||
		    environment_check(&environment, cli) < 0) {
			say_warning("%s", cli->failure.text ? cli->failure.text : ids[i]);
			failure_finish(&cli->failure);
		} else {
			const char *contact = get(&environment, CONF_LISTENER_CONTACT);
			const char *when = environment_end_text(&environment, expiry);
			if (!contact)
				contact = get(&environment, CONF_CONTACT);
			char **row = cells + rows++ * COLUMNS;
			row[0] = strdup(environment.id);
			row[1] = strdup(side(&environment));
			row[2] = contact ? strdup(contact) : NULL;
			row[3] = when ? strdup(when) : NULL;
			cJSON_AddItemToArray(list, environment_json(&environment));
		}
		environment_finish(&environment);
	}
	return rows;
}

static int run_list(struct cli *cli, const void *given, char **words)
{
	static const char *const heads[COLUMNS] = {"Tunnel", "Side", "Contact", "Expires"};
	const struct values *values = given;
	char **ids;
	size_t count;
	if (environment_ids(cli, values->base_dir, &ids, &count) < 0)
		return -1;
	char **cells = calloc(count + 1, COLUMNS * sizeof(*cells));
	cJSON *list = cJSON_CreateArray();
	size_t rows = cells ? gather(cli, values->base_dir, ids, count, cells, list) : 0;
	if (cli->json)
		output_json_list(list);
	else
		table_print(heads, COLUMNS, (const char *const *)cells, rows);
	for (size_t i = 0; i < rows * COLUMNS; i++)
		free(cells[i]);
	free(cells);
	cJSON_Delete(list);
	environment_free_ids(ids, count);
	return 0;
}

const struct command environment_show_command = {
	.name = "show",
	.words = "TUNNEL_ID",
	.summary = "show an environment without its secret",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run_show,
};

const struct command environment_list_command = {
	.name = "list",
	.summary = "list the environments on this machine",
	.options = options,
	.values_size = sizeof(struct values),
	.run = run_list,
};
