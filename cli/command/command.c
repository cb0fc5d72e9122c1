#include "cli/command/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/profile.h"
#include "cli/base/say.h"
#include "cli/base/suggest.h"
#include "cli/base/text.h"
#include "cli/command/completion.h"
#include "cli/command/report.h"
#include "cli/command/shape.h"
#include "cli/service/output.h"

#define PATH_MAX_LEN 128

/* Options that every command takes. */
struct common {
	bool help, verbose, version, quiet, debug;
	const char *format, *profile;
	struct option_list expressions, statuses;
};

static const struct option_spec common_options[] = {
	{'F', "format", "FORMAT", "print text (default), json or unix", OPTION_TEXT,
	 offsetof(struct common, format)},
	{0, "jq", "EXPR", "print the result of a JMESPath expression", OPTION_LIST,
	 offsetof(struct common, expressions)},
	{0, "jmespath", "EXPR", NULL, OPTION_LIST, offsetof(struct common, expressions)},
	{0, "map-http-status", "MAP", "exit status by HTTP status: 404=50,...", OPTION_LIST,
	 offsetof(struct common, statuses)},
	{'q', "quiet", NULL, "log errors only", OPTION_FLAG, offsetof(struct common, quiet)},
	{'v', "verbose", NULL, "log each step to stderr", OPTION_FLAG,
	 offsetof(struct common, verbose)},
	{0, "debug", NULL, "log each HTTP request as well", OPTION_FLAG,
	 offsetof(struct common, debug)},
	{0, "profile", "NAME", "use this set of tokens", OPTION_TEXT,
	 offsetof(struct common, profile)},
	{'h', "help", NULL, "show this help", OPTION_FLAG, offsetof(struct common, help)},
	{'V', "version", NULL, "show the version", OPTION_FLAG, offsetof(struct common, version)},
	{0},
};

/* The current position in the tree. */
struct place {
	const struct command *root, *command;
	char path[PATH_MAX_LEN]; /* "globus-streams environment initialize" */
};

/* How the run prints and ends, from the common options. */
struct ways {
	struct shape shape;
	struct status_map statuses;
};

static void print_children(const struct command *group)
{
	printf("Commands:\n");
	for (const struct command *const *child = group->children; *child; child++)
		printf("  %-16s %s\n", (*child)->name, (*child)->summary);
}

/* The common options' names in one or two lines: a command's own options need the screen. */
static void print_common(const char *root)
{
	char line[256] = "Common options:";
	for (const struct option_spec *spec = common_options; spec->name; spec++) {
		size_t len = strlen(line);
		if (spec->help && spec->letter)
			snprintf(line + len, sizeof(line) - len, " -%c,", spec->letter);
		else if (spec->help)
			snprintf(line + len, sizeof(line) - len, " --%s,", spec->name);
	}
	snprintf(line + strlen(line) - 1, sizeof(line) - strlen(line), "; see %s --help", root);
	putchar('\n');
	options_wrap(line, 0, stdout);
}

static int print_help(const struct place *place)
{
	const struct command *command = place->command;
	const char *words = command->children ? "COMMAND" : command->words;
	printf("Usage: %s [OPTIONS]%s%s\n", place->path, words ? " " : "", words ? words : "");
	printf("%s%s\n", command->children ? "" : "\n",
	       command->summary); /* a group's lines are many */
	if (command->about) {
		putchar('\n');
		options_wrap(command->about, 0, stdout);
	}
	if (command->children) {
		if (command != place->root) /* whose lines fill a screen */
			putchar('\n');
		print_children(command);
	}
	if (command->options || command == place->root)
		printf("%sOptions:\n", command == place->root ? "" : "\n");
	if (command->options)
		options_print(command->options, stdout);
	if (command == place->root)
		options_print(common_options, stdout);
	else
		print_common(place->root->name);
	return 0;
}

/* Go down one step. */
static int descend(struct cli *cli, struct place *place, const char *word)
{
	struct suggest suggest;
	suggest_init(&suggest, word, strlen(word));
	for (const struct command *const *child = place->command->children; *child; child++) {
		suggest_offer(&suggest, (*child)->name);
		if (strcmp((*child)->name, word) != 0)
			continue;
		place->command = *child;
		size_t len = strlen(place->path);
		snprintf(place->path + len, sizeof(place->path) - len, " %s", word);
		return 0;
	}
	const char *near = suggest_best(&suggest);
	if (near)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "no such command: %s " TEXT_WORD "; did you mean: %s %s",
				   place->path, word, place->path, near);
	return failure_set(&cli->failure, STATUS_USAGE,
			   "no such command: %s " TEXT_WORD "; see: %s --help", place->path, word,
			   place->path);
}

static bool takes_value(const struct option_spec *spec)
{
	return spec->kind != OPTION_FLAG && spec->kind != OPTION_MAYBE;
}

/* The option of that letter (or 0) or name (or NULL), in a table. */
static const struct option_spec *in_table(const struct option_spec *table, char letter,
					  const char *name)
{
	for (; table && (table->letter || table->name); table++)
		if ((letter && table->letter == letter) ||
		    (name && table->name && strcmp(table->name, name) == 0))
			return table;
	return NULL;
}

/* The same, among the options common to all commands and those of any command below this one. */
static const struct option_spec *anywhere(const struct command *command, char letter,
					  const char *name)
{
	const struct option_spec *found = in_table(common_options, letter, name);
	if (!found)
		found = in_table(command->options, letter, name);
	for (const struct command *const *child = command->children; !found && child && *child;
	     child++)
		found = anywhere(*child, letter, name);
	return found;
}

/* Whether the value of this option, given before the command's words, is the next word. */
static bool has_value_apart(const struct command *command, const char *option)
{
	const struct option_spec *spec;
	if (option[1] == '-')
		return (spec = anywhere(command, 0, option + 2)) && takes_value(spec);
	for (const char *at = option + 1; *at; at++)
		if ((spec = anywhere(command, *at, NULL)) && takes_value(spec))
			return !at[1];
	return false;
}

/* A long option that no command has. */
static bool is_unknown(const struct command *command, const char *option)
{
	char name[SUGGEST_WORD_MAX];
	int len = (int)strcspn(option, "=");
	snprintf(name, sizeof(name), "%.*s", len, option);
	return strncmp(name, "--", 2) == 0 && name[2] && !anywhere(command, 0, name + 2);
}

/* Remove the command words from the front, leaving options between them in place. */
static int find(struct cli *cli, struct place *place, int *argc, char **argv)
{
	static char help[] = "--help";
	int at = 0;
	while (place->command->children && at < *argc) {
		if (argv[at][0] == '-') {
			at += has_value_apart(place->command, argv[at]) ? 2 : 1;
			continue;
		}
		/* "help tunnel" is "tunnel --help". */
		if (strcmp(argv[at], "help") == 0) {
			argv[at++] = help;
			continue;
		}
		if (descend(cli, place, argv[at]) < 0) {
			if (at == 0 || !is_unknown(place->command, argv[at - 1]))
				return -1;
			/* The word may be its value: the error about the unknown option is
			 * clearer. */
			failure_finish(&cli->failure);
			return 0;
		}
		memmove(argv + at, argv + at + 1, sizeof(*argv) * (size_t)(*argc - at));
		(*argc)--;
	}
	return 0;
}

/* Whether "--wait 5" was written, where 5 becomes the first word. */
static bool lacks_equals(const struct command *command, char **words)
{
	const struct option_spec *wait = in_table(command->options, 0, "wait");
	return wait && *words[0] && words[0][strspn(words[0], "0123456789")] == '\0';
}

/* Name the first missing word. */
static int missing_word(struct cli *cli, const struct place *place, size_t count)
{
	const char *missing = place->command->words;
	while (count--)
		missing += strcspn(missing, " ") + 1;
	return failure_set(&cli->failure, STATUS_USAGE,
			   "missing argument %.*s; usage: %s [OPTIONS] %s",
			   (int)strcspn(missing, " "), missing, place->path, place->command->words);
}

static int check_words(struct cli *cli, const struct place *place, size_t count, char **words)
{
	const struct command *command = place->command;
	if (count < command->words_min)
		return missing_word(cli, place, count);
	if (count > command->words_min && lacks_equals(command, words))
		return failure_set(&cli->failure, STATUS_USAGE,
				   "unexpected argument '" TEXT_WORD "'; write --wait=" TEXT_WORD,
				   words[0], words[0]);
	if (count > command->words_max)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "unexpected argument '" TEXT_WORD "'; see: %s --help",
				   words[command->words_max], place->path);
	return 0;
}

/* --profile, else GLOBUS_PROFILE, which is checked when tokens are needed. */
static int choose_profile(struct cli *cli, const char *given)
{
	const char *usual = getenv("GLOBUS_PROFILE");
	cli->profile = given ? given : usual && *usual ? usual : NULL;
	return given ? profile_check(given, "--profile", &cli->failure) : 0;
}

static int apply_common(struct cli *cli, const struct common *common, struct ways *ways)
{
	say_setup(common->quiet     ? SAY_QUIET
		  : common->debug   ? SAY_DEBUG
		  : common->verbose ? SAY_VERBOSE
				    : SAY_NORMAL);
	cli->quiet = common->quiet;
	cli->asking = isatty(STDERR_FILENO);
	if (shape_init(&ways->shape, cli, common->format, &common->expressions) < 0 ||
	    choose_profile(cli, common->profile) < 0)
		return -1;
	return status_map_init(&ways->statuses, cli, &common->statuses);
}

static int run(struct cli *cli, const struct place *place, int argc, char **argv, void *values,
	       struct ways *ways)
{
	static const struct option_spec none[] = {{0}};
	const struct command *command = place->command;
	struct common common = {0};
	struct option_set sets[] = {{command->options ? command->options : none, values},
				    {common_options, &common},
				    {0}};
	cleanup_free char *why = NULL;
	int words;
	int err = options_parse(sets, false, argc, argv, &words, NULL, &why);
	/* Also if that failed: the message is in the format that was given before. */
	int wrong = apply_common(cli, &common, ways);
	if (err < 0)
		return failure_set(&cli->failure, STATUS_USAGE, "%s; see: %s --help",
				   why ? why : "out of memory", place->path);
	argv[words] = NULL;
	if (common.help)
		return print_help(place);
	if (common.version)
		return printf("globus-streams %s\n", GS_VERSION) < 0 ? STATUS_FAILED : 0;
	if (wrong < 0)
		return -1;
	if (command->children)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "missing command after %s; see: %s --help", place->path,
				   place->path);
	if (check_words(cli, place, (size_t)words, argv) < 0)
		return -1;
	say_debug("running %s", place->path);
	return command->run(cli, values, argv);
}

/* Say what failed. The exit status. */
static int explain(const struct cli *cli, const struct status_map *statuses)
{
	int status = status_map_apply(statuses, cli);
	if (cli->json_errors)
		report_json(cli, status);
	else
		say_error("%s", cli->failure.text ? cli->failure.text : "out of memory");
	return status;
}

static int finish(struct cli *cli, int status, const struct status_map *statuses)
{
	struct failure unwritten = {0};
	say_waiting(NULL);
	/* Errors that were kept for the document need one. */
	if (status > 0 && cli->reported)
		status = failure_set(&cli->failure, status, "%s",
				     cJSON_GetStringValue(cli->reported->child));
	if (status < 0)
		status = explain(cli, statuses);
	else if (output_flush(&unwritten) < 0) {
		/* A status that the command gave stays. */
		failure_finish(&cli->failure);
		cli->failure = unwritten;
		int unwritten_status = explain(cli, statuses);
		return status ? status : unwritten_status;
	}
	output_flush(NULL);
	return status;
}

int command_main(const struct command *root, int argc, char **argv)
{
	struct cli cli = {0};
	struct place place = {.root = root, .command = root};
	struct ways ways = {0};
	memset(&ways.statuses, -1, sizeof(ways.statuses));
	snprintf(place.path, sizeof(place.path), "%s", root->name);
	say_setup(SAY_NORMAL);
	argc = argc > 0 ? argc - 1 : 0;
	argv++;
	if (argc > 0 && strcmp(argv[0], "__complete") == 0)
		return finish(&cli, completion_print(root, common_options, argc - 1, argv + 1),
			      &ways.statuses);
	void *values = NULL;
	int status = find(&cli, &place, &argc, argv);
	if (status == 0) {
		values = calloc(1, place.command->values_size + 1);
		if (values && place.command->defaults)
			memcpy(values, place.command->defaults, place.command->values_size);
		status = values ? run(&cli, &place, argc, argv, values, &ways)
				: failure_memory(&cli.failure);
	}
	free(values);
	status = finish(&cli, status, &ways.statuses);
	shape_finish(&ways.shape);
	cli_finish(&cli);
	return status;
}
