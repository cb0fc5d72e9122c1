/* globus-streams-supervisor: a supervisor for many launches. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/limit.h"
#include "supervisor/base/log.h"
#include "supervisor/base/log_target.h"
#include "supervisor/process/daemon.h"
#include "supervisor/process/service.h"
#include "supervisor/process/upgrade.h"

#define SHIM_FILE "libglobus_streams_shim.so"

struct options {
	bool help, version;
	const char *socket;
	struct log_options log;
	struct limits limits;
};

/* options without a letter */
enum { LIMIT = 256, LOG_TARGET, LOG_FORMAT, LOG_LEVEL };

/* What each option is, for getopt_long(3) and for the help. */
static const struct {
	struct option option;
	const char *metavar, *help;
} table[] = {
	{{"socket", required_argument, NULL, 's'},
	 "=PATH",
	 "control socket (default: the one that systemd passes)"},
	{{"debug", no_argument, NULL, 'd'}, "", "log every connection to stderr"},
	{{"log", required_argument, NULL, 'l'}, "=FILE", "log to FILE instead of stderr"},
	{{"log-target", required_argument, NULL, LOG_TARGET},
	 "=WHERE",
	 "where to log: stderr, journal, or a file"},
	{{"log-format", required_argument, NULL, LOG_FORMAT},
	 "=FORMAT",
	 "text, logfmt (key=value) or json"},
	{{"log-level", required_argument, NULL, LOG_LEVEL},
	 "=LEVEL",
	 "lowest level logged: debug (default), info, warning"},
	{{"limit", required_argument, NULL, LIMIT},
	 "=NAME=N",
	 "set a limit; see globus-streams-run(1)"},
	{{"help", no_argument, NULL, 'h'}, "", "show this help"},
	{{"version", no_argument, NULL, 'V'}, "", "show the version"},
};
#define COUNT (sizeof(table) / sizeof(*table))

static int complain(int status, const char *what, const char *why)
{
	fprintf(stderr, "globus-streams-supervisor: %s%s%s\n", what, why ? ": " : "",
		why ? why : "");
	return status;
}

#define COLUMN 28 /* of --help, where the text of an option begins */

static void help(void)
{
	printf("Usage: globus-streams-supervisor [OPTION]... --socket PATH\n"
	       "Serve the commands that `globus-streams-run --attach PATH` runs.\n\n");
	for (size_t i = 0; i < COUNT; i++) {
		const struct option *option = &table[i].option;
		int width = option->val < LIMIT ? printf("  -%c, ", option->val) : printf("      ");
		width += printf("--%s%s", option->name, table[i].metavar);
		printf("%*s%s\n", COLUMN - width, "", table[i].help);
	}
}

/* What getopt_long(3) has refused. */
static int complain_of_option(int argc, char **argv, int letter)
{
	const char *given = argv[optind > 1 && optind <= argc ? optind - 1 : argc - 1];
	fprintf(stderr, "globus-streams-supervisor: %s %s; see globus-streams-supervisor --help\n",
		letter == ':' ? "missing value after" : "no such option:", given);
	return -EINVAL;
}

static int set_limit(struct limits *limits, const char *text)
{
	const char *why;
	int err = limit_set(limits, text, &why);
	if (err < 0)
		fprintf(stderr, "globus-streams-supervisor: --limit %s: %s\n", text, why);
	return err;
}

/* 0, or -EINVAL after a line that says why. */
static int parse(int argc, char **argv, struct options *options)
{
	struct option all[COUNT + 1] = {0};
	for (size_t i = 0; i < COUNT; i++)
		all[i] = table[i].option;
	for (int letter; (letter = getopt_long(argc, argv, ":s:dl:hV", all, NULL)) != -1;) {
		switch (letter) {
		case 's':
			options->socket = optarg;
			break;
		case 'd':
			options->log.debug = true;
			break;
		case 'l':
			options->log.file = optarg;
			break;
		case LOG_TARGET:
			options->log.target = optarg;
			break;
		case LOG_FORMAT:
			options->log.format = optarg;
			break;
		case LOG_LEVEL:
			options->log.level = optarg;
			break;
		case LIMIT:
			if (set_limit(&options->limits, optarg) < 0)
				return -EINVAL;
			break;
		case 'h':
			options->help = true;
			break;
		case 'V':
			options->version = true;
			break;
		default:
			return complain_of_option(argc, argv, letter);
		}
	}
	if (optind == argc)
		return 0;
	complain(2, argv[optind], "unexpected argument; see globus-streams-supervisor --help");
	return -EINVAL;
}

static const char *explain(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return "a supervisor already listens there, or it is not a socket; give another "
		       "path with --socket, or stop that one with: globus-streams supervisor stop";
	case -EPERM:
		return "its folder belongs to another user, or others may write to it; give a path "
		       "in a folder of your own with --socket";
	case -ENOENT:
		return "its folder does not exist; create it, or give another path with --socket";
	case -ENOTSOCK:
		return "systemd has passed none; give its path with --socket PATH";
	default:
		return strerror(-err);
	}
}

/* The shim that launches beside us preload. */
static void set_shim(struct state *state)
{
	static const char *const places[] = {"../shim/" SHIM_FILE,
					     GS_SHIMDIR_FROM_BINDIR "/" SHIM_FILE};
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		char path[BASE_PATH_MAX], whole[PATH_MAX];
		ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
		char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
		if (!slash)
			return;
		size_t room = sizeof(path) - (size_t)(slash + 1 - path);
		if (snprintf(slash + 1, room, "%s", places[i]) < (int)room &&
		    realpath(path, whole) && strlen(whole) < sizeof(state->keeping.shim)) {
			strcpy(state->keeping.shim, whole);
			return;
		}
	}
}

/* The program beside us that looks contacts up. */
static void set_cli(struct state *state)
{
	ssize_t len =
		readlink("/proc/self/exe", state->keeping.cli, sizeof(state->keeping.cli) - 32);
	char *slash = len > 0 ? memrchr(state->keeping.cli, '/', (size_t)len) : NULL;
	char *name = slash ? slash + 1 : state->keeping.cli;
	strcpy(name, "globus-streams");
	if (slash && access(state->keeping.cli, X_OK) < 0) /* the build folder */
		strcpy(name, "../cli/globus-streams");
}

/* The log: 0, or the exit status. */
static int open_log(const struct options *options, struct state *state, int *fd)
{
	const char *what, *why;
	*fd = log_target_open(&options->log, &state->log, &what, &why);
	return *fd >= -1 ? 0 : complain(why ? 2 : 1, what, why ? why : strerror(errno));
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct keeper keeper;
	if (upgrade_main(argc, argv, &keeper))
		return daemon_go_on(&keeper);
	limit_init(&options.limits);
	if (parse(argc, argv, &options) < 0)
		return 2;
	if (options.help || options.version) {
		if (options.help)
			help();
		else
			printf("globus-streams-supervisor %s\n", GS_VERSION);
		return 0;
	}
	log_init(STDERR_FILENO, -1);
	if (service_restore(&keeper))
		return daemon_come_back(&keeper);
	struct state *state = keeper.state = state_create();
	if (!state)
		return complain(1, "cannot start", strerror(errno));
	state->limits = options.limits;
	set_cli(state);
	set_shim(state);
	state->control_fd = daemon_listen(options.socket);
	if (state->control_fd < 0)
		return complain(state->control_fd == -ENOTSOCK ? 2 : 1,
				options.socket ? options.socket : "no control socket",
				explain(state->control_fd));
	int debug_fd;
	int status = open_log(&options, state, &debug_fd);
	if (status)
		return status;
	if (options.socket && !realpath(options.socket, state->keeping.socket_path))
		state->keeping.socket_path[0] = '\0';
	return daemon_run(&keeper, debug_fd);
}
