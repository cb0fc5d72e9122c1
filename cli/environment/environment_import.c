#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/say.h"
#include "cli/base/text.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/environment/environment_export.h"
#include "cli/service/output.h"

/* environment import: what export wrote becomes a conf file here. */

#define SIZE_MAX_OF_EXPORT (CONF_SIZE_MAX + 1024)

struct values {
	const char *base_dir;
	bool force;
};

static const struct option_spec options[] = {
	{0, "force", NULL, "replace an environment of the same tunnel", OPTION_FLAG,
	 offsetof(struct values, force)},
	OPTION_BASE_DIR(struct values),
	{0},
};

struct text {
	char *data;
	size_t len;
};

static int read_file(struct cli *cli, const char *path, struct text *text)
{
	int err = file_read_private(path, SIZE_MAX_OF_EXPORT, &text->data, &text->len);
	switch (-err) {
	case 0:
		return 0;
	case EPERM:
		return failure_set(&cli->failure, STATUS_FAILED,
				   "%s is not used: it belongs to another user, or others can read "
				   "or write it; "
				   "it holds a secret: chmod 600 it, or export it again",
				   path);
	case EFBIG:
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"%s is too large to be an exported environment; name a file that "
			"globus-streams environment export wrote",
			path);
	default:
		return failure_set(&cli->failure, STATUS_FAILED, "cannot read %s: %s", path,
				   strerror(-err));
	}
}

/* The tunnel's id, from the first line, and where the conf file's text begins; NULL: it is none. */
static const char *head(const struct text *text, char id[UUID_TEXT + 1])
{
	static const char head[] = EXPORT_HEAD;
	const size_t len = sizeof(head) - 1, all = len + UUID_TEXT + 1;
	uint8_t bytes[UUID_BYTES];
	if (text->len < all || memcmp(text->data, head, len) != 0 || text->data[all - 1] != '\n')
		return NULL;
	memcpy(id, text->data + len, UUID_TEXT);
	id[UUID_TEXT] = '\0';
	return uuid_parse(id, bytes) == 0 ? text->data + all : NULL;
}

/* Its end is the last line, or it was cut off. */
static bool is_whole(const struct text *text, const char *conf)
{
	static const char last[] = "\n" EXPORT_LAST;
	const size_t len = sizeof(last) - 1;
	return (size_t)(text->data + text->len - conf) >= len &&
	       memcmp(text->data + text->len - len, last, len) == 0;
}

static int parse(struct cli *cli, const char *path, const struct text *text, char id[UUID_TEXT + 1],
		 struct conf *conf)
{
	const char *start = head(text, id);
	if (!start)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"%s is not an exported environment; name a file that globus-streams "
			"environment export wrote",
			path);
	if (!is_whole(text, start))
		return failure_set(&cli->failure, STATUS_FAILED,
				   "%s was cut off; copy or export it again", path);
	if (conf_parse(conf, start, (size_t)(text->data + text->len - start)) < 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "%s is damaged; copy or export it again", path);
	return 0;
}

static bool same(const struct conf *a, const struct conf *b, const char *key)
{
	const char *one = conf_get(a, key), *other = conf_get(b, key);
	return one == other || (one && other && strcmp(one, other) == 0);
}

/* Tasks that start together import the same: all but one find it there, perhaps with a newer
 * contact. */
static bool is_there(const struct conf *here, const struct conf *new)
{
	return same(here, new, CONF_LANKEY) && same(here, new, CONF_LANKEY_ID) &&
	       same(here, new, CONF_LAN_AUTH) && same(here, new, CONF_FAKE_PORT) &&
	       same(here, new, CONF_GLOBUS_CONTACT) && same(here, new, CONF_LISTENER_CONTACT);
}

/* Takes conf in. */
static int store(struct cli *cli, struct environment *environment, const struct values *values,
		 struct conf *conf)
{
	if (environment_lock(environment, cli) < 0)
		return -1;
	bool exists = environment_try(environment),
	     there = exists && is_there(&environment->conf, conf);
	if (there && !values->force)
		return 0;
	if (exists && !values->force)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"%s/%s.conf already exists and differs; to replace it, use --force",
			environment->base, environment->id);
	conf_finish(&environment->conf);
	environment->conf = *conf;
	*conf = (struct conf){0};
	return environment_check(environment, cli) < 0 ? -1 : environment_write(environment, cli);
}

static void print_text(const struct environment *environment)
{
	char end[ENVIRONMENT_END_TEXT];
	output_line("The environment of tunnel %s is in %s", environment->id, environment->base);
	if (!environment_is_listener(environment))
		printf("Your contact string is: globus.%s:%u\n", environment->id,
		       environment_fake_port(environment));
	if (environment_end_text(environment, end))
		printf("The tunnel ends at %s\n", end);
}

static int import(struct cli *cli, const struct values *values, const char *path,
		  const struct text *text)
{
	char id[UUID_TEXT + 1];
	struct conf conf = {0};
	struct environment environment = {.lock = -1};
	int err = parse(cli, path, text, id, &conf);
	if (!err)
		err = environment_init(&environment, cli, values->base_dir, id);
	if (!err)
		err = store(cli, &environment, values, &conf);
	if (!err && cli->json)
		environment_print_json(&environment);
	else if (!err)
		print_text(&environment);
	environment_finish(&environment);
	conf_finish(&conf);
	return err;
}

static int run(struct cli *cli, const void *given, char **words)
{
	struct text text = {0};
	if (read_file(cli, words[0], &text) < 0)
		return -1;
	int err = import(cli, given, words[0], &text);
	file_wipe(text.data, text.len);
	return err;
}

const struct command environment_import_command = {
	.name = "import",
	.words = "FILE",
	.summary = "take an environment from a file that export wrote",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
