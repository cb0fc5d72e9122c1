#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/conf_file.h"
#include "cli/base/patience.h"
#include "cli/base/say.h"
#include "cli/base/terminal.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/environment/environment_expiry.h"
#include "cli/service/gcs.h"
#include "cli/service/output.h"

#define NOTHING_DELETED 2

struct values {
	const char *base_dir;
	bool all, force;
};

static const struct option_spec options[] = {
	{0, "all", NULL, "delete all environments whose tunnel has expired", OPTION_FLAG,
	 offsetof(struct values, all)},
	{0, "force", NULL, "delete even if the tunnel has not expired", OPTION_FLAG,
	 offsetof(struct values, force)},
	OPTION_BASE_DIR(struct values),
	{0},
};

struct sweep {
	const struct values *values;
	bool offline; /* a service did not answer: the others are not asked */
	cJSON *deleted;
};

/* Revoke the secret: whether that succeeded. It expires with the tunnel anyway, so an
 * unreachable service is no obstacle. */
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
	say_warning(
		"the LAN secret of tunnel %s was not revoked and stays valid until it expires: %s",
		environment->id, cli->failure.text);
	failure_finish(&cli->failure);
	return false;
}

/* Why the conf cannot be read, so that its expiry is not known; to be freed. NULL: it can. */
static char *unreadable(const struct environment *environment)
{
	struct conf conf;
	char *why = NULL;
	if (conf_file_read(environment->base, environment->id, &conf, &why) == 0)
		conf_finish(&conf);
	return why;
}

/* The conf file's time has passed: what does Transfer say? As is_over(). */
static int ask(struct cli *cli, struct sweep *sweep, struct environment *environment)
{
	bool ended;
	if (sweep->offline) {
		say_note("the environment of tunnel %s was kept, too", environment->id);
		return 0;
	}
	if (environment_expiry_ask(cli, environment, &ended) < 0) {
		sweep->offline = cli->failure.http == 0;
		return failure_prefix(&cli->failure,
				      "the environment of tunnel %s was kept, because Transfer "
				      "could not be asked whether it has ended (to delete it "
				      "anyway, use --force): ",
				      environment->id);
	}
	if (ended)
		return 1;
	if (environment_write(environment, cli) < 0)
		failure_finish(&cli->failure); /* it only saves the next question */
	say_note("tunnel %s has not ended, although the time in its conf file has passed; to "
		 "delete its environment anyway, use --force",
		 environment->id);
	return 0;
}

/* 1: the tunnel has ended, 0: not, with a line that says so; -1: that cannot be learnt. */
static int is_over(struct cli *cli, struct sweep *sweep, struct environment *environment)
{
	cleanup_free char *why = unreadable(environment);
	if (why) {
		say_note("%s; or delete it with --force", why);
		return 0;
	}
	if (environment_expiry_passed(environment))
		return ask(cli, sweep, environment);
	say_note("tunnel %s has not expired; to delete its environment anyway, use --force",
		 environment->id);
	return 0;
}

/* 1: deleted, 0: not, with a line that says why; -1: failed. */
static int clean(struct cli *cli, struct sweep *sweep, struct environment *environment)
{
	if (environment_lock(environment, cli) < 0)
		return -1;
	bool there = environment_try(environment);
	if (!there) {
		say_note("tunnel %s has no environment in %s; those that exist are listed by: "
			 "globus-streams environment list %s",
			 environment->id, environment->base, environment->option);
		environment_remove_lock(environment);
		return 0;
	}
	int over = sweep->values->force ? 1 : is_over(cli, sweep, environment);
	if (over <= 0)
		return over;
	if (environment_try_remove(environment, cli) < 0)
		return -1;
	bool revoked = revoke_secret(cli, sweep, environment);
	if (environment_remove(environment, cli) < 0)
		return revoked ? failure_prefix(&cli->failure,
						"the LAN secret is revoked, but its conf file "
						"remains and no longer works: ")
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

static bool may_wait(void)
{
	return !patience_gives_up(0);
}

static bool is_sure(struct cli *cli)
{
	char answer[16] = "";
	struct terminal terminal;
	/* A script with a stdin of its own is not asked. */
	if (!cli->asking || !isatty(STDIN_FILENO) || terminal_open(&terminal) < 0)
		return true;
	fprintf(terminal.out, "Delete all environments, including those of tunnels that have not "
			      "expired? [y/N] ");
	fflush(terminal.out);
	int err = terminal_read_line(&terminal, answer, sizeof(answer), may_wait);
	terminal_close(&terminal);
	return !err && (*answer == 'y' || *answer == 'Y');
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
		say_note("no environment exists in %s", base ? base : "the home folder");
	for (size_t i = 0; i < count; i++) {
		int done = clean_id(cli, sweep, ids[i]);
		deleted += done > 0;
		if (done >= 0)
			continue;
		/* One that cannot be deleted does not stop the others. */
		cli_report(cli, "%s", cli->failure.text ? cli->failure.text : ids[i]);
		failure_finish(&cli->failure);
		failed = 1;
	}
	environment_free_ids(ids, count);
	if (failed)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "some environments could not be deleted");
	return deleted;
}

static int run(struct cli *cli, const void *given, char **words)
{
	struct sweep sweep = {.values = given};
	if (!words[0] && !sweep.values->all)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"missing argument TUNNEL_ID; give it, or --all for every expired tunnel");
	if (words[0] && sweep.values->all)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "TUNNEL_ID and --all cannot be used together; give one of them");
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
