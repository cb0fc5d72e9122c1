#include "cli/base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/suggest.h"
#include "cli/base/text.h"

#define HELP_COLUMN 30
#define HELP_WIDTH  80

struct parser {
	const struct option_set *sets;
	int argc, at;
	char **argv;
	char **why;
};

struct match {
	const struct option_spec *spec;
	void *field;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct parser *parser, const char *format,
							...)
{
	va_list args;
	va_start(args, format);
	if (vasprintf(parser->why, format, args) < 0)
		*parser->why = NULL;
	va_end(args);
	return -EINVAL;
}

static bool is_end(const struct option_spec *spec)
{
	return !spec->letter && !spec->name;
}

static struct match found(const struct option_set *set, const struct option_spec *spec)
{
	return (struct match){spec, (char *)set->values + spec->offset};
}

static struct match find_letter(const struct option_set *sets, char letter)
{
	for (; sets->specs; sets++)
		for (const struct option_spec *spec = sets->specs; !is_end(spec); spec++)
			if (spec->letter == letter)
				return found(sets, spec);
	return (struct match){0};
}

static struct match find_name(const struct option_set *sets, const char *name, size_t len)
{
	for (; sets->specs; sets++)
		for (const struct option_spec *spec = sets->specs; !is_end(spec); spec++)
			if (spec->name && strlen(spec->name) == len &&
			    strncmp(spec->name, name, len) == 0)
				return found(sets, spec);
	return (struct match){0};
}

int options_number(const char *text, long long low, long long high, long long *number)
{
	if (!isdigit((unsigned char)*text) && *text != '-')
		return -EINVAL;
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno || *end || end == text || value < low || value > high)
		return -EINVAL;
	*number = value;
	return 0;
}

static int take_number(struct parser *parser, const struct option_spec *spec, const char *given,
		       const char *value, long long *number)
{
	if (options_number(value, spec->low, spec->high, number) < 0)
		return refuse(parser, "%s takes a number from %lld to %lld, not '" TEXT_WORD "'",
			      given, spec->low, spec->high, value);
	return 0;
}

static int take_list(struct parser *parser, const char *given, struct option_list *list,
		     const char *value)
{
	if (list->count == OPTION_LIST_MAX)
		return refuse(parser, "%s can be given at most %d times", given, OPTION_LIST_MAX);
	list->items[list->count++] = value;
	return 0;
}

/* Store what was given; value is NULL where none was. given: as the user wrote it. */
static int store(struct parser *parser, struct match match, const char *given, const char *value)
{
	struct option_maybe *maybe = match.field;
	switch (match.spec->kind) {
	case OPTION_FLAG:
		*(bool *)match.field = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)match.field = value;
		return 0;
	case OPTION_NUMBER:
		return take_number(parser, match.spec, given, value, match.field);
	case OPTION_LIST:
		return take_list(parser, given, match.field, value);
	case OPTION_MAYBE:
		maybe->given = true;
		return value ? take_number(parser, match.spec, given, value, &maybe->value) : 0;
	}
	return -EINVAL;
}

static bool needs_value(const struct option_spec *spec)
{
	return spec->kind != OPTION_FLAG && spec->kind != OPTION_MAYBE;
}

static int refuse_unknown(struct parser *parser, const char *arg, size_t len)
{
	struct suggest suggest;
	suggest_init(&suggest, arg, len);
	for (const struct option_set *set = parser->sets; set->specs; set++)
		for (const struct option_spec *spec = set->specs; !is_end(spec); spec++)
			if (spec->name)
				suggest_offer(&suggest, spec->name);
	const char *near = suggest_best(&suggest);
	len = len < TEXT_WORD_MAX ? len : TEXT_WORD_MAX;
	if (near)
		return refuse(parser, "no such option: --%.*s; did you mean --%s?", (int)len, arg,
			      near);
	return refuse(parser, "no such option: --%.*s", (int)len, arg);
}

static int parse_long(struct parser *parser)
{
	const char *arg = parser->argv[parser->at++] + 2;
	size_t len = strcspn(arg, "=");
	struct match match = find_name(parser->sets, arg, len);
	if (!match.spec)
		return refuse_unknown(parser, arg, len);
	const char *value = arg[len] ? arg + len + 1 : NULL;
	char given[64];
	snprintf(given, sizeof(given), "--%s", match.spec->name);
	if (value && match.spec->kind == OPTION_FLAG)
		return refuse(parser, "%s takes no value", given);
	if (!value && needs_value(match.spec)) {
		if (parser->at == parser->argc)
			return refuse(parser, "%s needs a value: %s", given, match.spec->metavar);
		value = parser->argv[parser->at++];
	}
	return store(parser, match, given, value);
}

static int parse_letters(struct parser *parser)
{
	for (const char *at = parser->argv[parser->at++] + 1; *at; at++) {
		struct match match = find_letter(parser->sets, *at);
		char given[] = {'-', *at, '\0'};
		if (!match.spec)
			return refuse(parser, "no such option: %s", given);
		const char *value = NULL;
		if (needs_value(match.spec)) {
			if (at[1])
				value = at + 1;
			else if (parser->at < parser->argc)
				value = parser->argv[parser->at++];
			else
				return refuse(parser, "%s needs a value: %s", given,
					      match.spec->metavar);
		}
		int err = store(parser, match, given, value);
		if (err || value)
			return err;
	}
	return 0;
}

int options_parse(const struct option_set *sets, bool stop_at_word, int argc, char **argv,
		  int *words, bool *dashes, char **why)
{
	struct parser parser = {.sets = sets, .argc = argc, .argv = argv, .why = why};
	int count = 0, err = 0;
	bool ended = false;
	while (!err && !ended && parser.at < argc) {
		char *arg = argv[parser.at];
		if (strcmp(arg, "--") == 0) {
			parser.at++;
			ended = true;
		} else if (arg[0] == '-' && arg[1] == '-') {
			err = parse_long(&parser);
		} else if (arg[0] == '-' && arg[1]) {
			err = parse_letters(&parser);
		} else if (stop_at_word) {
			break;
		} else {
			argv[count++] = arg;
			parser.at++;
		}
	}
	while (!err && parser.at < argc)
		argv[count++] = argv[parser.at++];
	*words = count;
	if (dashes)
		*dashes = ended;
	return err;
}

void options_wrap(const char *text, int indent, FILE *out)
{
	size_t room = (size_t)(HELP_WIDTH - indent);
	while (strlen(text) > room) {
		size_t cut = room;
		while (cut > 0 && text[cut] != ' ')
			cut--;
		if (cut == 0)
			break;
		fprintf(out, "%.*s\n%*s", (int)cut, text, indent, "");
		text += cut + 1;
	}
	fprintf(out, "%s\n", text);
}

void options_print(const struct option_spec *specs, FILE *out)
{
	for (const struct option_spec *spec = specs; !is_end(spec); spec++) {
		char head[128];
		if (!spec->help)
			continue;
		bool twice = spec[1].name && !spec[1].help;
		const char *value = spec->metavar ? spec->metavar : "";
		const char *join = "";
		if (spec->metavar)
			join = spec->kind == OPTION_MAYBE ? "[=" : spec->name ? "=" : " ";
		char letter[] = {'-', spec->letter, '\0'};
		snprintf(head, sizeof(head), "  %s%s%s%s%s%s%s%s", spec->letter ? letter : "  ",
			 !spec->name    ? ""
			 : spec->letter ? ", --"
					: "  --",
			 spec->name ? spec->name : "", twice ? ", --" : "",
			 twice ? spec[1].name : "", join, value,
			 spec->kind == OPTION_MAYBE ? "]" : "");
		if (strlen(head) > HELP_COLUMN - 2)
			fprintf(out, "%s\n%*s", head, HELP_COLUMN, "");
		else
			fprintf(out, "%-*s", HELP_COLUMN, head);
		options_wrap(spec->help, HELP_COLUMN, out);
	}
}
