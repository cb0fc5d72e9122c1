#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/command/command.h"
#include "cli/oci/oci.h"
#include "cli/service/output.h"

/* oci podman, docker, crun: the lines to type, which write a profile and start a container with it.
 */

#define TUNNELS_MAX 8
#define LINE_MAX    4096

/* A shell's word in a line of text. */
static void add(char line[LINE_MAX], const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+:@%,=";
	size_t len = strlen(line);
	bool quotes = !*text || text[strspn(text, plain)];
	snprintf(line + len, LINE_MAX - len, quotes ? " '" : " ");
	for (; *text; text++) {
		len = strlen(line);
		snprintf(line + len, LINE_MAX - len, *text == '\'' ? "'\\''" : "%c", *text);
	}
	len = strlen(line);
	snprintf(line + len, LINE_MAX - len, quotes ? "'" : "");
}

/* Podman's own profile; docker's is in no file. */
static const char *base_of(const char *runtime, const struct oci_values *values)
{
	static const char *const files[] = {"/etc/containers/seccomp.json",
					    "/usr/share/containers/seccomp.json"};
	for (size_t i = 0; !values->base && strcmp(runtime, "podman") == 0 && i < 2; i++)
		if (access(files[i], R_OK) == 0)
			return files[i];
	return values->base;
}

static int print_profile(struct cli *cli, const struct oci_values *values, const char *runtime,
			 char **words, const char *file)
{
	char line[LINE_MAX] = "globus-streams oci seccomp";
	const char *base = base_of(runtime, values);
	bool of_root = geteuid() == 0 || strcmp(runtime, "docker") == 0;
	cleanup_free char *joined = oci_join(cli, words);
	cleanup_free char *socket = joined ? oci_socket(cli, values, of_root) : NULL;
	if (!socket)
		return -1;
	if (base)
		add(line, "--base"), add(line, base);
	add(line, "--socket"), add(line, socket);
	if (values->no_opens)
		add(line, "--no-opens");
	for (; *words; words++)
		add(line, *words);
	output_line("%s > %s", line, file);
	return 0;
}

static int print(struct cli *cli, const void *values, char **words, const char *runtime)
{
	char file[64];
	snprintf(file, sizeof(file), "tunnel-%.8s.json", words[0]);
	if (print_profile(cli, values, runtime, words, file) < 0)
		return -1;
	if (strcmp(runtime, "crun") != 0) {
		output_line("%s run --network host --security-opt seccomp=%s IMAGE COMMAND",
			    runtime, file);
		return 0;
	}
	output_line(
		"jq --slurpfile profile %s '.linux.seccomp = $profile[0] | .linux.namespaces "
		"|= map(select(.type != \"network\"))' config.json > config.new && mv config.new "
		"config.json",
		file);
	output_line("crun run --bundle . NAME");
	return 0;
}

#define COMMAND(runtime)                                                                           \
	static int run_##runtime(struct cli *cli, const void *values, char **words)                \
	{                                                                                          \
		return print(cli, values, words, #runtime);                                        \
	}                                                                                          \
	const struct command oci_##runtime##_command = {                                           \
		.name = #runtime,                                                                  \
		.words = "TUNNEL_ID [TUNNEL_ID...]",                                               \
		.summary = "print what starts a " #runtime " container with these tunnels",        \
		.words_min = 1,                                                                    \
		.words_max = TUNNELS_MAX,                                                          \
		.options = oci_options,                                                            \
		.values_size = sizeof(struct oci_values),                                          \
		.run = run_##runtime,                                                              \
	}

COMMAND(podman);
COMMAND(docker);
COMMAND(crun);
