#ifndef GS_RUN_SETUP_H
#define GS_RUN_SETUP_H

/* From the launcher's options to a launch: confs, ports, names, and what the filter must see. */

#include "cli/base/options.h"
#include "supervisor/process/launch.h"

struct run_options {
	bool debug, hosts, no_shim, allow_io_uring, allow_direct, async_connect, hold_connect, help,
		version;
	const char *log, *log_target, *log_format, *log_level, *base_dir, *attach;
	struct option_list ports, limits;
	char **tunnels;
	size_t tunnel_count;
	char **command;
};

/* Fill in the launch. 0, or the exit status after a message. *inside: the supervisor of an outer
 * launch has taken the tunnels (run_inside.h). */
int run_setup(const struct run_options *options, struct launch *launch, bool *inside);

/* One line on stderr, "globus-streams-run: …". */
__attribute__((format(printf, 1, 2))) void run_error(const char *format, ...);

#endif
