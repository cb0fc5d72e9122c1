/* globus-streams-run: read the confs, fork the keeper, and act for the command towards the
 * shell. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/options.h"
#include "cli/run/run_inside.h"
#include "cli/run/run_setup.h"
#include "cli/run/run_wait.h"
#include "supervisor/process/launch.h"
#include "supervisor/process/upgrade.h"

static const struct option_spec specs[] = {
	{'d', "debug", NULL, "log every connection to stderr", OPTION_FLAG,
	 offsetof(struct run_options, debug)},
	{'l', "log", "FILE", "write the log to FILE instead of stderr", OPTION_TEXT,
	 offsetof(struct run_options, log)},
	{0, "log-target", "WHERE", "log to stderr, journal, or a file", OPTION_TEXT,
	 offsetof(struct run_options, log_target)},
	{0, "log-format", "FORMAT", "write text, logfmt (key=value) or json", OPTION_TEXT,
	 offsetof(struct run_options, log_format)},
	{0, "log-level", "LEVEL", "log from debug (default), info or warning upwards", OPTION_TEXT,
	 offsetof(struct run_options, log_level)},
	{'p', "port", "PORT", "also listen through the tunnel on PORT", OPTION_LIST,
	 offsetof(struct run_options, ports)},
	{0, "base-dir", "DIR", "use conf files in DIR (default ~/.globus/streams)", OPTION_TEXT,
	 offsetof(struct run_options, base_dir)},
	{0, "attach", "SOCKET", "use the supervisor that listens at SOCKET", OPTION_TEXT,
	 offsetof(struct run_options, attach)},
	{0, "hosts", NULL, "also resolve names in containers and after sudo", OPTION_FLAG,
	 offsetof(struct run_options, hosts)},
	{0, "no-shim", NULL, "do not resolve names by means of LD_PRELOAD", OPTION_FLAG,
	 offsetof(struct run_options, no_shim)},
	{0, "allow-io-uring", NULL, "allow io_uring, which bypasses the tunnel", OPTION_FLAG,
	 offsetof(struct run_options, allow_io_uring)},
	{0, "allow-direct", NULL, "allow direct connections to mapped hosts", OPTION_FLAG,
	 offsetof(struct run_options, allow_direct)},
	{0, "async-connect", NULL, "let non-blocking connects return after 20 ms", OPTION_FLAG,
	 offsetof(struct run_options, async_connect)},
	{0, "hold-connect", NULL, "let non-blocking connects wait for the result", OPTION_FLAG,
	 offsetof(struct run_options, hold_connect)},
	{0, "limit", "NAME=N", "change a limit; see globus-streams-run(1)", OPTION_LIST,
	 offsetof(struct run_options, limits)},
	{'h', "help", NULL, "show this help", OPTION_FLAG, offsetof(struct run_options, help)},
	{'V', "version", NULL, "show the version", OPTION_FLAG,
	 offsetof(struct run_options, version)},
	{0},
};

static void help(void)
{
	printf("Usage: globus-streams-run [OPTION]... TUNNEL [TUNNEL]... -- COMMAND [ARGUMENT]...\n"
	       "       globus-streams-run [OPTION]... TUNNEL COMMAND [ARGUMENT]...\n"
	       "Run a command whose connections go through Globus tunnels.\n\n");
	options_print(specs, stdout);
	printf("\nThe exit status or signal is the command's; 126 if it cannot be run, 127 if it\n"
	       "is not found; 2 for wrong usage and 1 for other errors.\n");
}

/* The tunnels come first; "--" ends them. Without it there is one, and the rest is the command. */
static int split(int words, char **argv, struct run_options *options)
{
	int tunnels = 0;
	uint8_t bytes[UUID_BYTES];
	while (tunnels < words && uuid_parse(argv[tunnels], bytes) == 0)
		tunnels++;
	if (tunnels == 0)
		tunnels = words > 0; /* malformed: reported later */
	if (tunnels < words && strcmp(argv[tunnels], "--") == 0) {
		options->command = argv + tunnels + 1;
	} else {
		tunnels = words > 0;
		options->command = argv + tunnels;
	}
	options->tunnels = argv;
	options->tunnel_count = (size_t)tunnels;
	return tunnels && *options->command ? 0 : -EINVAL;
}

/* 0: continue; else exit with *status. */
static int parse(int argc, char **argv, struct run_options *options, int *status)
{
	const struct option_set sets[] = {{specs, options}, {0}};
	cleanup_free char *why = NULL;
	int words;
	*status = 2;
	if (options_parse(sets, true, argc - 1, argv + 1, &words, NULL, &why) < 0) {
		run_error("%s; see: globus-streams-run --help", why ? why : "out of memory");
		return -EINVAL;
	}
	if (options->help || options->version) {
		*status = 0;
		if (options->help)
			help();
		else
			printf("globus-streams-run %s\n", GS_VERSION);
		if (fflush(stdout) != 0) {
			run_error("cannot write to stdout: %s", strerror(errno));
			*status = 1;
		}
		return -ECANCELED;
	}
	if (options->async_connect && options->hold_connect) {
		run_error("--async-connect and --hold-connect cannot be used together; give one of "
			  "them");
		return -EINVAL;
	}
	argv[1 + words] = NULL;
	if (split(words, argv + 1, options) < 0) {
		run_error(words ? "missing argument COMMAND; see: globus-streams-run --help"
				: "missing arguments TUNNEL and COMMAND; see: globus-streams-run "
				  "--help");
		return -EINVAL;
	}
	return 0;
}

/* A non-blocking pipe: nothing may wait for the log. */
static int make_channels(int report[2], int warn[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) < 0 ||
	    pipe2(warn, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int run(struct run_options *options, struct launch *launch)
{
	int report[2], warn[2];
	int err = make_channels(report, warn);
	if (err < 0) {
		run_error("cannot start: %s", strerror(-err));
		return 1;
	}
	launch->trying = mmap(NULL, sizeof(*launch->trying), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (launch->trying == MAP_FAILED)
		launch->trying = NULL;
	launch->report_fd = report[1];
	launch->warn_fd = options->debug ? -1 : warn[1];
	run_block_signals(launch);
	pid_t keeper = fork();
	if (keeper == 0) {
		close(report[0]);
		close(warn[0]);
		launch_run(launch);
	}
	close(report[1]);
	close(warn[1]);
	state_destroy(launch->state);
	if (keeper < 0) {
		run_error("cannot start: %s", strerror(errno));
		return 1;
	}
	return run_wait(&(struct run_wait){.keeper = keeper,
					   .report_fd = report[0],
					   .warn_fd = warn[0],
					   .trying = launch->trying,
					   .command = launch->command[0]});
}

int main(int argc, char **argv)
{
	struct run_options options = {0};
	struct launch launch = {.launcher = getpid(), .debug_fd = -1, .warn_fd = -1};
	struct keeper keeper;
	int status;
	file_reserve_standard();
	if (upgrade_main(argc, argv, &keeper))
		launch_go_on(&keeper);
	/* where ps finds the command line, before the words are moved */
	launch.title = keeper.title;
	launch.title_room = keeper.title_room;
	if (parse(argc, argv, &options, &status) < 0)
		return status;
	bool inside;
	status = run_setup(&options, &launch, &inside);
	if (status)
		return status;
	if (inside)
		return inside_run(&launch);
	return run(&options, &launch);
}
