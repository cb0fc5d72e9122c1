#ifndef GS_COMMAND_H
#define GS_COMMAND_H

/* The tree of subcommands: found by its words, options parsed by its table, help printed from it.
 */

#include <stddef.h>

#include "cli/base/options.h"
#include "cli/service/cli.h"

struct command {
	const char *name;
	const char *words; /* "TUNNEL_ID [ENDPOINT_ID]"; NULL: takes none */
	const char *summary;
	const char *about; /* more for --help, a paragraph; NULL: nothing */
	size_t words_min, words_max;
	const struct option_spec *options; /* NULL: none of its own */
	size_t values_size;                /* of the struct that they fill */
	const void *defaults;              /* what is in it at first; NULL: zeroes */
	/* The exit status, or -1 with cli->failure. words: words_min to words_max of them, then
	 * NULL. */
	int (*run)(struct cli *cli, const void *values, char **words);
	const struct command *const *children; /* a group: ended by NULL */
};

/* Run the command that argv names, and say what failed. The exit status. */
int command_main(const struct command *root, int argc, char **argv);

/* The option that commands with conf files share. */
#define OPTION_BASE_DIR(type)                                                                      \
	{                                                                                          \
		0, "base-dir", "DIR", "use conf files in DIR (default ~/.globus/streams)",         \
			OPTION_TEXT, offsetof(type, base_dir)                                      \
	}

extern const struct command command_root;

extern const struct command login_command;
extern const struct command logout_command;
extern const struct command whoami_command;
extern const struct command doctor_command;
extern const struct command connections_command;

/* environment … */
extern const struct command environment_initialize_command;
extern const struct command environment_lookup_command;
extern const struct command environment_update_command;
extern const struct command environment_cleanup_command;
extern const struct command environment_export_command;
extern const struct command environment_import_command;
extern const struct command environment_list_command;
extern const struct command environment_show_command;

/* tunnel … */
extern const struct command tunnel_create_command;
extern const struct command tunnel_list_command;
extern const struct command tunnel_show_command;
extern const struct command tunnel_update_command;
extern const struct command tunnel_stop_command;
extern const struct command tunnel_delete_command;
extern const struct command tunnel_events_command;

/* jupyter … */
extern const struct command jupyter_install_command;

/* oci … */
extern const struct command oci_seccomp_command;
extern const struct command oci_podman_command;
extern const struct command oci_docker_command;
extern const struct command oci_crun_command;

/* access-point … */
extern const struct command access_point_list_command;
extern const struct command access_point_show_command;

/* supervisor … */
extern const struct command supervisor_status_command;
extern const struct command supervisor_reload_command;
extern const struct command supervisor_stop_command;
extern const struct command supervisor_upgrade_command;

#endif
