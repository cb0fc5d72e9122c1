#include "cli/command/command.h"

/* The commands. */

static const struct command *const environment_commands[] = {
	&environment_initialize_command, &environment_lookup_command, &environment_update_command,
	&environment_cleanup_command,    &environment_list_command,   &environment_show_command,
	&environment_export_command,     &environment_import_command, NULL,
};

static const struct command environment_command = {
	.name = "environment",
	.summary = "manage the environments of tunnels on this machine",
	.children = environment_commands,
};

static const struct command *const tunnel_commands[] = {
	&tunnel_create_command, &tunnel_list_command,
	&tunnel_show_command,   &tunnel_update_command,
	&tunnel_stop_command,   &tunnel_delete_command,
	&tunnel_events_command, NULL,
};

static const struct command tunnel_command = {
	.name = "tunnel",
	.summary = "manage tunnels between two stream access points",
	.children = tunnel_commands,
};

static const struct command *const access_point_commands[] = {
	&access_point_list_command,
	&access_point_show_command,
	NULL,
};

static const struct command access_point_command = {
	.name = "access-point",
	.summary = "list and show stream access points",
	.children = access_point_commands,
};

static const struct command *const supervisor_commands[] = {
	&supervisor_status_command,
	&supervisor_reload_command,
	&supervisor_stop_command,
	&supervisor_upgrade_command,
	NULL,
};

static const struct command supervisor_command = {
	.name = "supervisor",
	.summary = "control a supervisor that serves many launches",
	.children = supervisor_commands,
};

static const struct command *const jupyter_commands[] = {
	&jupyter_install_command,
	NULL,
};

static const struct command jupyter_command = {
	.name = "jupyter",
	.summary = "kernels for Jupyter whose connections go through a tunnel",
	.children = jupyter_commands,
};

static const struct command *const oci_commands[] = {
	&oci_seccomp_command, &oci_podman_command, &oci_docker_command, &oci_crun_command, NULL,
};

static const struct command oci_command = {
	.name = "oci",
	.summary = "tunnels for containers of podman, docker and other runtimes",
	.children = oci_commands,
};

static const struct command *const root_commands[] = {
	&login_command,  &logout_command,       &whoami_command,     &environment_command,
	&tunnel_command, &access_point_command, &supervisor_command, &jupyter_command,
	&oci_command,    &connections_command,  &doctor_command,     NULL,
};

const struct command command_root = {
	.name = "globus-streams",
	.summary = "Manage Globus tunnels and the environments of the programs that use them.",
	.children = root_commands,
};
