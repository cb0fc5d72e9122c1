#include "contrib/gateway/base/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM       "globus-streams-gateway"
#define WRONG_USAGE   2
#define TOKEN_DEFAULT 172800 /* as Globus has it: two days */

enum value { FLAG, TEXT, ADDRESS, NUMBER, AS_GLOBUS, HELP, VERSION };

/* One row an option: the table is what is parsed and what --help prints. */
static const struct row {
	const char *name;
	char letter; /* 0: none */
	enum value value;
	size_t offset;    /* of what it sets, in struct options */
	int64_t min, max; /* of a NUMBER */
	const char *what, *help;
} rows[] = {
	{"state", 's', TEXT, offsetof(struct options, state), 0, 0, "DIR",
	 "folder for the state and the env file (required)"},
	{"port", 'p', NUMBER, offsetof(struct options, port), 0, UINT16_MAX, "N",
	 "HTTP port (the last run's if free, else any)"},
	{"address", 'a', ADDRESS, offsetof(struct options, address), 0, 0, "ADDR",
	 "address to bind to, :: for all (127.0.0.1)"},
	{"new-ports", 0, FLAG, offsetof(struct options, new_ports), 0, 0, NULL,
	 "use other ports than in the last run"},
	{"token-lifetime", 0, NUMBER, offsetof(struct options, token_lifetime), 1, 31536000,
	 "SECONDS", "lifetime of access tokens (172800)"},
	{"lan-delay", 0, NUMBER, offsetof(struct options, lan_delay), 0, 60000, "MS",
	 "delay before each LAN frame that is sent (0)"},
	{"listener-delay", 0, NUMBER, offsetof(struct options, listener_delay), 0, 8000, "MS",
	 "delay before each connection to a listener (0)"},
	{"as-globus", 0, AS_GLOBUS, offsetof(struct options, as_globus), 0, 0, "[=PART]",
	 "play an access point of Globus's own (below)"},
	{"verbose", 'v', FLAG, offsetof(struct options, verbose), 0, 0, NULL,
	 "log each request and each connection"},
	{"help", 'h', HELP, 0, 0, 0, NULL, "show this help"},
	{"version", 'V', VERSION, 0, 0, 0, NULL, "show the version"},
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

static _Noreturn void __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;

	fputs(PROGRAM ": ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see " PROGRAM " --help\n", stderr);
	exit(WRONG_USAGE);
}

static _Noreturn void print_help(void)
{
	printf("Usage: " PROGRAM " --state DIR [OPTION]…\n\n"
	       "Stands in for Globus on one machine: sign-in, tunnels, LAN secrets, and\n"
	       "the data path of two stream access points. Source DIR/env to use it.\n\n");
	for (int i = 0; i < ROWS; i++) {
		char left[40], letter[4] = {'-', rows[i].letter, ',', 0};

		snprintf(left, sizeof(left), "%3s --%s%s%s", rows[i].letter ? letter : "",
			 rows[i].name, rows[i].what && rows[i].value != AS_GLOBUS ? " " : "",
			 rows[i].what ? rows[i].what : "");
		printf("  %-29s %s\n", left, rows[i].help);
	}
	printf("\n--as-globus plays an access point that does not speak our authentication.\n"
	       "PART is optional (the default): none is required; required: Globus's own,\n"
	       "which nobody here speaks; silent: the manager does not say which.\n");
	exit(0);
}

static int64_t parse_number(const struct row *row, const char *text)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < row->min || number > row->max)
		wrong("--%s takes a number from %lld to %lld, not '%s'", row->name,
		      (long long)row->min, (long long)row->max, text);
	return number;
}

/* --as-globus or --as-globus=PART */
static int64_t parse_as_globus(const char *text)
{
	static const char *const parts[] = {[AS_GLOBUS_OPTIONAL] = "optional",
					    [AS_GLOBUS_REQUIRED] = "required",
					    [AS_GLOBUS_SILENT] = "silent"};

	for (int i = AS_GLOBUS_OPTIONAL; text && i <= AS_GLOBUS_SILENT; i++) {
		if (strcmp(text, parts[i]) == 0)
			return i;
	}
	if (text)
		wrong("--as-globus takes optional, required or silent, not '%s'", text);
	return AS_GLOBUS_OPTIONAL;
}

static void apply(struct options *options, const struct row *row, const char *text)
{
	void *target = (char *)options + row->offset;

	switch (row->value) {
	case FLAG:
		*(bool *)target = true;
		break;
	case TEXT:
		*(const char **)target = text;
		break;
	case NUMBER:
		*(int64_t *)target = parse_number(row, text);
		break;
	case AS_GLOBUS:
		*(int64_t *)target = parse_as_globus(text);
		break;
	case ADDRESS:
		if (address_parse(text, 0, target) < 0)
			wrong("--%s takes an IPv4 or IPv6 address, not '%s'", row->name, text);
		break;
	case HELP:
		print_help();
	case VERSION:
		puts(PROGRAM " " GATEWAY_VERSION);
		exit(0);
	}
}

static void make_tables(struct option *longs, char *shorts)
{
	*shorts++ = ':'; /* we write the messages */
	for (int i = 0; i < ROWS; i++) {
		int argument = rows[i].value == AS_GLOBUS ? optional_argument
			       : rows[i].what             ? required_argument
							  : no_argument;

		longs[i] = (struct option){rows[i].name, argument, NULL, 256 + i};
		if (!rows[i].letter)
			continue;
		*shorts++ = rows[i].letter;
		if (argument == required_argument)
			*shorts++ = ':';
	}
}

static const struct row *find_row(int found)
{
	for (int i = 0; i < ROWS; i++) {
		if (found == 256 + i || (rows[i].letter && found == rows[i].letter))
			return &rows[i];
	}
	return NULL;
}

void options_parse(struct options *options, int argc, char **argv)
{
	struct option longs[ROWS + 1] = {0};
	char shorts[2 * ROWS + 2] = {0};
	int found;

	*options = (struct options){.token_lifetime = TOKEN_DEFAULT};
	address_parse("127.0.0.1", 0, &options->address);
	make_tables(longs, shorts);
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct row *row = find_row(found);

		if (found == ':')
			wrong("%s needs a value", argv[optind - 1]);
		if (!row)
			wrong("unknown option '%s'", argv[optind - 1]);
		apply(options, row, optarg);
	}
	if (optind < argc)
		wrong("unexpected argument '%s'", argv[optind]);
	if (!options->state || !*options->state)
		wrong("--state DIR is required");
}
