#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/base/conf_file.h"
#include "cli/base/say.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/service/gcs.h"
#include "cli/service/output.h"

#define NOTHING_DELETED 2

struct values {
	const char *base_dir;
	bool all, force;
};

static const struct option_spec options[] = {
	{0, "all", NULL, "every environment here whose tunnel has expired", OPTION_FLAG,
	 offsetof(struct values, all)},
	{0, "force", NULL, "also where the tunnel has not expired", OPTION_FLAG,
	 offsetof(struct values, force)},
	OPTION_BASE_DIR(struct values),
	{0},
};

struct sweep {
	const struct values *values;
	bool offline; /* a service did not answer: the others are not asked */
	cJSON *deleted;
};

/* Whether its time is over, or is not known. */
static bool is_expired(const struct environment *environment)
{
	return environment_number(environment, CONF_EXPIRATION, 0) < time(NULL);
}

/* Revoke the secret. It ends with the tunnel anyhow, so a service that is away hinders nothing.
 * Tells whether it is revoked. */
static bool revoke_secret(struct cli *cli, struct sweep *sweep,
			  const struct environment *environment)
{
	const char *secret = conf_get(&environment->conf, CONF_LANKEY_ID);
	const char *endpoint = conf_get(&environment->conf, CONF_ENDPOINT_ID);
	uint8_t bytes[UUID_BYTES];
	if (!secret || !endpoint || sweep->offline || uuid_parse(secret, bytes) < 0 ||
	    uuid_parse(endpoint, bytes) < 0)
		return false;
	if (gcs_delete_secret(cli, endpoint, secret) == 0)
		return true;
	sweep->offline = cli->failure.http == 0;
	say_warning("the LAN secret of tunnel %s is not revoked and stays until it expires: %s",
		    environment->id, cli->failure.text);
	failure_finish(&cli->failure);
	return false;
}

/* Why the conf cannot be read, to be freed; NULL: it can. Nobody knows whether its time is over. */
static char *unreadable(const struct environment *environment)
{
	struct conf conf;
	char *why = NULL;
	if (conf_file_read(environment->base, environment->id, &conf, &why) == 0)
		conf_finish(&conf);
	return why;
}

/* 1: deleted, 0: not, with a line that says why; -1: failed. */
static int clean(struct cli *cli, struct sweep *sweep, struct environment *environment)
{
	if (environment_lock(environment, cli) < 0)
		return -1;
	bool there = environment_try(environment);
	if (!there) {
		say_note("there is no environment of tunnel %s in %s", environment->id,
			 environment->base);
		environment_remove_lock(environment);
		return 0;
	}
	cleanup_free char *why = unreadable(environment);
	if (!sweep->values->force && why) {
		say_note("%s; or use --force to delete it all the same", why);
		return 0;
	}
	if (!sweep->values->force && !is_expired(environment)) {
		say_note("tunnel %s has not expired; use --force to delete its environment all the "
			 "same",
			 environment->id);
		return 0;
	}
	if (environment_try_remove(environment, cli) < 0)
		return -1;
	bool revoked = revoke_secret(cli, sweep, environment);
	if (environment_remove(environment, cli) < 0)
		return revoked ? failure_prefix(&cli->failure, "the LAN secret is revoked, so the "
							       "conf file is of no use, but ")
			       : -1;
	cJSON_AddItemToArray(sweep->deleted, cJSON_CreateString(environment->id));
	if (!cli->json)
		printf("Deleted the environment of tunnel %s\n", environment->id);
	return 1;
}

static int clean_id(struct cli *cli, struct sweep *sweep, const char *id)
{
	struct environment environment;
	int done = environment_init(&environment, cli, sweep->values->base_dir, id);
	if (done == 0)
		done = clean(cli, sweep, &environment);
	environment_finish(&environment);
	return done;
}

static bool is_sure(struct cli *cli)
{
	char answer[16] = "";
	if (!cli->asking)
		return true;
	fprintf(stderr, "Delete every environment, also of tunnels that have not expired? [y/N] ");
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

static int clean_all(struct cli *cli, struct sweep *sweep)
{
	char **ids;
	size_t count;
	int deleted = 0, failed = 0;
	cleanup_free char *base = conf_file_base(sweep->values->base_dir);
	if (sweep->values->force && !is_sure(cli))
		return 0;
	if (environment_ids(cli, sweep->values->base_dir, &ids, &count) < 0)
		return -1;
	if (!count)
		say_note("there are no environments in %s", base ? base : "the home folder");
	for (size_t i = 0; i < count; i++) {
		int done = clean_id(cli, sweep, ids[i]);
		deleted += done > 0;
		if (done >= 0)
			continue;
		/* One that cannot be deleted does not keep the others. */
		say_error("%s", cli->failure.text ? cli->failure.text : ids[i]);
		failure_finish(&cli->failure);
		failed = 1;
	}
	environment_free_ids(ids, count);
	if (failed)
		return failure_set(&cli->failure, STATUS_FAILED, "not all could be deleted");
	return deleted;
}

static int run(struct cli *cli, const void *given, char **words)
{
	struct sweep sweep = {.values = given};
	if (!words[0] && !sweep.values->all)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "give a tunnel's id, or --all for every expired one");
	if (words[0] && sweep.values->all)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "a tunnel's id and --all exclude each other");
	sweep.deleted = cJSON_CreateArray();
	int deleted = words[0] ? clean_id(cli, &sweep, words[0]) : clean_all(cli, &sweep);
	if (deleted >= 0 && cli->json)
		output_json_list(sweep.deleted);
	cJSON_Delete(sweep.deleted);
	if (deleted < 0)
		return -1;
	return deleted ? 0 : NOTHING_DELETED;
}

const struct command environment_cleanup_command = {
	.name = "cleanup",
	.words = "[TUNNEL_ID]",
	.summary = "delete the environment of an expired tunnel, and its secret",
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
