#include "cli/environment/environment_export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/say.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/service/json.h"
#include "cli/service/output.h"

/* environment export: for a machine that has no login, as a compute node. */

struct values {
	const char *base_dir, *output;
};

static const struct option_spec options[] = {
	{'o', "output", "FILE", "write a new file, which only you can read", OPTION_TEXT,
	 offsetof(struct values, output)},
	OPTION_BASE_DIR(struct values),
	{0},
};

static int check_output(struct cli *cli, const char *path)
{
	if (path && *path)
		return 0;
	return failure_set(&cli->failure, STATUS_USAGE,
			   path ? "--output takes a file, not ''"
				: "--output is needed; say where to write, as --output FILE");
}

/* Somebody who cannot ask Transfer has to be given a contact. */
static int check_contact(struct cli *cli, const struct environment *environment)
{
	if (environment_is_listener(environment) || conf_get(&environment->conf, CONF_CONTACT))
		return 0;
	return failure_set(&cli->failure, STATUS_FAILED,
			   "the contact of tunnel %s is not known yet; wait until the tunnel is "
			   "active, and run: "
			   "globus-streams environment update %s%s",
			   environment->id, environment->option, environment->id);
}

static int fail(struct cli *cli, const char *path, int err)
{
	if (err == -EEXIST)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "%s exists already and is left as it is; name a new file", path);
	return failure_set(&cli->failure, STATUS_FAILED, "cannot write %s: %s", path,
			   strerror(-err));
}

static int export(struct cli *cli, const struct environment *environment, const char *path)
{
	size_t len;
	char *conf = conf_format(&environment->conf, &len);
	cleanup_wipe char *text = NULL;
	int size = conf ? asprintf(&text, EXPORT_HEAD "%s\n%s" EXPORT_LAST, environment->id, conf)
			: -1;
	conf_free_text(conf, len);
	if (size < 0) {
		text = NULL;
		return failure_memory(&cli->failure);
	}
	int err = file_create(path, text, (size_t)size);
	return err < 0 ? fail(cli, path, err) : 0;
}

/* What is in the file, above all the secret. */
static void print_text(const struct environment *environment, const char *path)
{
	char end[ENVIRONMENT_END_TEXT];
	output_line("The environment of tunnel %s is in %s", environment->id, path);
	if (conf_get(&environment->conf, CONF_LANKEY))
		printf("It holds the tunnel's LAN secret: whoever can read the file can use the "
		       "tunnel.\n");
	if (environment_end_text(environment, end))
		printf("The tunnel ends at %s\n", end);
	output_line("On the other machine: globus-streams environment import %s", path);
}

static void print_json(const struct environment *environment, const char *path)
{
	cJSON *object = environment_json(environment);
	cJSON_AddStringToObject(object, "file", path);
	output_json(object);
	cJSON_Delete(object);
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct environment environment;
	int err = environment_init(&environment, cli, values->base_dir, words[0]);
	if (!err &&
	    (check_output(cli, values->output) < 0 || environment_read(&environment, cli) < 0 ||
	     environment_check(&environment, cli) < 0 || check_contact(cli, &environment) < 0 ||
	     export(cli, &environment, values->output) < 0))
		err = -1;
	if (!err && cli->json)
		print_json(&environment, values->output);
	else if (!err)
		print_text(&environment, values->output);
	environment_finish(&environment);
	return err;
}

const struct command environment_export_command = {
	.name = "export",
	.words = "TUNNEL_ID",
	.summary = "write an environment to a file, for a machine without a login",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
