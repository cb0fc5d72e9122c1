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

/* A shell's word in a line. */
static void add(FILE *line, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+:@%,=";
	bool quotes = !*text || text[strspn(text, plain)];
	fputs(quotes ? " '" : " ", line);
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", line);
		else
			fputc(*text, line);
	if (quotes)
		fputc('\'', line);
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

static int make_line(struct cli *cli, const struct oci_values *values, const char *base,
		     const char *socket, char **words, char **made)
{
	size_t len;
	FILE *line = open_memstream(made, &len);
	if (!line)
		return failure_memory(&cli->failure);
	if (base)
		add(line, "--base"), add(line, base);
	add(line, "--socket"), add(line, socket);
	if (values->no_opens)
		add(line, "--no-opens");
	for (; *words; words++)
		add(line, *words);
	bool whole = !ferror(line);
	return fclose(line) == 0 && whole ? 0 : failure_memory(&cli->failure);
}

static int print_profile(struct cli *cli, const struct oci_values *values, const char *runtime,
			 char **words, const char *file)
{
	const char *base = base_of(runtime, values);
	bool of_root = geteuid() == 0 || strcmp(runtime, "docker") == 0;
	cleanup_free char *joined = oci_join(cli, words), *line = NULL;
	cleanup_free char *socket = joined ? oci_socket(cli, values, of_root) : NULL;
	if (!socket || (base && strcmp(runtime, "crun") == 0 && oci_check_plain(cli, base) < 0) ||
	    make_line(cli, values, base, socket, words, &line) < 0)
		return -1;
	output_line("globus-streams oci seccomp%s > %s", line, file);
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
