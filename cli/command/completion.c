#include "cli/command/completion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command/environment.h"

static bool is_end(const struct option_spec *spec)
{
	return !spec->letter && !spec->name;
}

static bool takes_value(const struct option_spec *spec)
{
	return spec->kind != OPTION_FLAG && spec->kind != OPTION_MAYBE;
}

/* The option that a word is, in one of the tables. */
static const struct option_spec *find(const struct option_spec *const *tables, const char *word)
{
	for (; *tables; tables++)
		for (const struct option_spec *spec = *tables; !is_end(spec); spec++) {
			bool is_long = spec->name && strncmp(word, "--", 2) == 0 &&
				       strcmp(word + 2, spec->name) == 0;
			if (is_long ||
			    (spec->letter && word[0] == '-' && word[1] == spec->letter && !word[2]))
				return spec;
		}
	return NULL;
}

static void offer(const char *prefix, const char *head, const char *word, const char *meaning)
{
	char whole[128];
	snprintf(whole, sizeof(whole), "%s%s", head, word);
	if (strncmp(whole, prefix, strlen(prefix)) == 0)
		printf("%s\t%s\n", whole, meaning);
}

static void offer_options(const struct option_spec *const *tables, const char *prefix)
{
	for (; *tables; tables++)
		for (const struct option_spec *spec = *tables; !is_end(spec); spec++)
			if (spec->name)
				offer(prefix, "--", spec->name,
				      spec->help ? spec->help : spec[-1].help);
}

/* The tunnels that have an environment in a folder; NULL: in the usual one. */
static void offer_tunnels(const char *prefix, const char *base)
{
	struct cli cli = {0};
	char **ids;
	size_t count;
	if (environment_ids(&cli, base, &ids, &count) == 0) {
		for (size_t i = 0; i < count; i++)
			offer(prefix, "", ids[i], "a tunnel");
		environment_free_ids(ids, count);
	}
	cli_finish(&cli);
}

static const struct command *child_of(const struct command *command, const char *name)
{
	for (const struct command *const *child = command->children; child && *child; child++)
		if (strcmp((*child)->name, name) == 0)
			return *child;
	return NULL;
}

static const struct option_spec none[] = {{0}};

/* The command named by the words before the last. *value_of: the option whose value the last
 * word is; *base: the folder that they name, or NULL. */
static const struct command *walk(const struct command *command, const struct option_spec *common,
				  int argc, char **argv, const struct option_spec **value_of,
				  const char **base)
{
	*value_of = NULL;
	*base = NULL;
	for (int i = 0; i + 1 < argc; i++) {
		if (strncmp(argv[i], "--base-dir=", strlen("--base-dir=")) == 0)
			*base = strchr(argv[i], '=') + 1;
		else if (i > 0 && strcmp(argv[i - 1], "--base-dir") == 0)
			*base = argv[i];
		const struct option_spec *const tables[] = {
			command->options ? command->options : none, common, NULL};
		const struct option_spec *spec = *value_of ? NULL : find(tables, argv[i]);
		const struct command *child = *value_of || spec ? NULL : child_of(command, argv[i]);
		*value_of = spec && takes_value(spec) ? spec : NULL;
		command = child ? child : command;
	}
	return command;
}

/* head: what precedes the value in the same word, "--format=" or "". */
static void offer_value(const struct option_spec *spec, const char *prefix, const char *head)
{
	if (!spec->name || strcmp(spec->name, "format") != 0)
		return;
	offer(prefix, head, "text", "for people");
	offer(prefix, head, "json", "for programs");
	offer(prefix, head, "unix", "for awk and grep");
}

/* "--name=" and the beginning of a value. */
static void offer_value_of(const struct option_spec *const *tables, const char *prefix)
{
	char head[64];
	const struct option_spec *spec;
	int name = (int)strcspn(prefix, "=");
	if (snprintf(head, sizeof(head), "%.*s", name, prefix) >= (int)sizeof(head) ||
	    !(spec = find(tables, head)))
		return;
	strncat(head, "=", sizeof(head) - strlen(head) - 1);
	offer_value(spec, prefix, head);
}

int completion_print(const struct command *root, const struct option_spec *common, int argc,
		     char **argv)
{
	const struct option_spec *value_of;
	const char *base;
	const struct command *command = walk(root, common, argc, argv, &value_of, &base);
	const struct option_spec *const tables[] = {command->options ? command->options : none,
						    common, NULL};
	const char *current = argc > 0 ? argv[argc - 1] : "";
	if (value_of) {
		offer_value(value_of, current, "");
	} else if (*current == '-' && strchr(current, '=')) {
		offer_value_of(tables, current);
	} else if (*current == '-') {
		offer_options(tables, current);
	} else if (command->children) {
		for (const struct command *const *child = command->children; *child; child++)
			offer(current, "", (*child)->name, (*child)->summary);
	} else if (command->words && strstr(command->words, "TUNNEL_ID")) {
		offer_tunnels(current, base);
	}
	return 0;
}
