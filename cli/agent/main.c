/* globus-streams-oci-agent: tunnels for containers that somebody else starts, as the seccomp agent
 * of OCI runtimes. */

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/agent/agent.h"
#include "cli/base/cleanup.h"
#include "cli/base/conf_file.h"
#include "cli/base/file.h"
#include "cli/base/options.h"

#define ROOTS_FOLDER "/etc/globus-streams/oci" /* a runtime of root's may act for anybody */

struct values {
	const char *listen, *base_dir, *attach;
	bool help, version;
};

static const struct option_spec specs[] = {
	{0, "listen", "SOCKET", "listen there; otherwise the connection is on stdin", OPTION_TEXT,
	 offsetof(struct values, listen)},
	{0, "base-dir", "DIR", "use conf files in DIR", OPTION_TEXT,
	 offsetof(struct values, base_dir)},
	{0, "attach", "SOCKET", "the socket of the supervisor that serves the containers",
	 OPTION_TEXT, offsetof(struct values, attach)},
	{'h', "help", NULL, "show this help", OPTION_FLAG, offsetof(struct values, help)},
	{'V', "version", NULL, "show the version", OPTION_FLAG, offsetof(struct values, version)},
	{0},
};

static int print_help(void)
{
	printf("Usage: globus-streams-oci-agent [OPTION]...\n"
	       "Give containers the tunnels that their seccomp profiles ask for. systemd starts "
	       "this program\n"
	       "for each container: enable globus-streams-oci.socket. `globus-streams oci` writes "
	       "the\n"
	       "profiles.\n\n");
	options_print(specs, stdout);
	printf("\nConf files are read from the user's folder; for root, from %s.\n", ROOTS_FOLDER);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* The supervisor of this user, if none is named. */
static char *default_supervisor(void)
{
	const char *named = getenv("GLOBUS_STREAMS_SUPERVISOR"),
		   *runtime = getenv("XDG_RUNTIME_DIR");
	char *path;
	int len;
	if (named && *named)
		len = asprintf(&path, "%s", named);
	else if (geteuid() == 0)
		len = asprintf(&path, "/run/globus-streams/supervisor");
	else if (runtime && *runtime)
		len = asprintf(&path, "%s/globus-streams/supervisor", runtime);
	else
		len = asprintf(&path, "/run/user/%u/globus-streams/supervisor",
			       (unsigned)geteuid());
	return len < 0 ? NULL : path;
}

static int run(const struct values *values)
{
	const char *given = values->base_dir ? values->base_dir
			    : geteuid() == 0 ? ROOTS_FOLDER
					     : NULL;
	cleanup_free char *base = conf_file_base(given), *full = base ? realpath(base, NULL) : NULL;
	cleanup_free char *path = default_supervisor();
	struct agent agent = {full ? full : base, values->attach ? values->attach : path};
	if (!agent.base || !agent.supervisor) {
		agent_say("cannot find the conf files: %s; name their folder with --base-dir",
			  strerror(errno));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	return (values->listen ? agent_listen(&agent, values->listen)
			       : agent_serve(&agent, STDIN_FILENO)) < 0;
}

/* Of "" the usual one would be taken, which may be another's. */
static const char *empty_option(const struct values *values)
{
	if (values->base_dir && !*values->base_dir)
		return "--base-dir";
	if (values->listen && !*values->listen)
		return "--listen";
	return values->attach && !*values->attach ? "--attach" : NULL;
}

int main(int argc, char **argv)
{
	struct values values = {0};
	const struct option_set sets[] = {{specs, &values}, {0}};
	cleanup_free char *why = NULL;
	int words;
	file_reserve_standard();
	if (options_parse(sets, false, argc - 1, argv + 1, &words, NULL, &why) < 0) {
		agent_say("%s; see: globus-streams-oci-agent --help", why ? why : "out of memory");
		return 2;
	}
	if (values.version)
		return printf("globus-streams-oci-agent %s\n", GS_VERSION) < 0;
	if (values.help)
		return print_help();
	const char *empty = empty_option(&values), *extra = words > 0 ? argv[1] : NULL;
	if (extra || empty) {
		agent_say("%s'%.100s'; see: globus-streams-oci-agent --help",
			  extra ? "unexpected argument " : "nothing is given for option ",
			  extra ? extra : empty);
		return 2;
	}
	return run(&values);
}
