#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/text.h"
#include "cli/command/command.h"
#include "cli/oci/oci.h"
#include "cli/oci/profile.h"
#include "cli/service/output.h"
#include "protocol/contact.h"

/* oci seccomp: the profile by which a container asks the agent for tunnels. */

#define LARGEST     (1024 * 1024)
#define TUNNELS_MAX 8 /* as the agent has it */

const struct option_spec oci_options[] = {
	{0, "base", "FILE", "change this seccomp profile (default: all else is allowed)",
	 OPTION_TEXT, offsetof(struct oci_values, base)},
	{0, "socket", "SOCKET", "the agent's socket (default: that of its systemd unit)",
	 OPTION_TEXT, offsetof(struct oci_values, socket)},
	{0, "no-opens", NULL, "do not watch opens of files: programs do not find names",
	 OPTION_FLAG, offsetof(struct oci_values, no_opens)},
	{0},
};

char *oci_join(struct cli *cli, char **words)
{
	char *joined = calloc(TUNNELS_MAX, UUID_TEXT + 1);
	uint8_t bytes[UUID_BYTES];
	size_t count = 0;
	for (; joined && words[count]; count++) {
		char *at = joined + count * (UUID_TEXT + 1);
		if (uuid_parse(words[count], bytes) < 0) {
			failure_set(&cli->failure, STATUS_USAGE,
				    "'" TEXT_WORD "' is not a tunnel ID (UUID)", words[count]);
			free(joined);
			return NULL;
		}
		uuid_format(bytes, at);
		if (count)
			at[-1] = ',';
	}
	if (!joined)
		failure_memory(&cli->failure);
	return joined;
}

char *oci_socket(struct cli *cli, const struct oci_values *values, bool of_root)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *path;
	int len = values->socket ? asprintf(&path, "%s", values->socket)
		  : of_root      ? asprintf(&path, "/run/globus-streams/oci")
		  : runtime && *runtime
			  ? asprintf(&path, "%s/globus-streams/oci", runtime)
			  : asprintf(&path, "/run/user/%u/globus-streams/oci", (unsigned)geteuid());
	if (len >= 0 && path[0] == '/')
		return path;
	if (len >= 0) {
		failure_set(&cli->failure, STATUS_USAGE,
			    "'" TEXT_WORD "' is not an absolute path; write --socket=/PATH", path);
		free(path);
	} else {
		failure_memory(&cli->failure);
	}
	return NULL;
}

/* --- the profile --- */

static int wrong_base(struct cli *cli, const char *path, const char *why)
{
	return failure_set(&cli->failure, STATUS_FAILED,
			   "%s cannot be used: %s; name another seccomp profile with --base", path,
			   why);
}

static cJSON *read_base(struct cli *cli, const char *path)
{
	cleanup_free char *text = malloc(LARGEST);
	FILE *file = text ? fopen(path, "re") : NULL;
	if (!file) {
		wrong_base(cli, path, strerror(errno));
		return NULL;
	}
	size_t len = fread(text, 1, LARGEST, file);
	bool whole = !ferror(file) && len < LARGEST;
	fclose(file);
	const char *end = NULL;
	cJSON *profile = whole && !memchr(text, '\0', len)
				 ? cJSON_ParseWithLengthOpts(text, len, &end, false)
				 : NULL;
	while (profile && end < text + len && strchr(" \t\r\n", *end))
		end++;
	if (cJSON_IsObject(profile) && end == text + len)
		return profile;
	cJSON_Delete(profile);
	wrong_base(cli, path, "it is not a JSON object");
	return NULL;
}

int oci_check_plain(struct cli *cli, const char *base)
{
	cJSON *profile = read_base(cli, base);
	if (!profile)
		return -1;
	bool extended = profile_is_extended(profile);
	cJSON_Delete(profile);
	return !extended ? 0
			 : failure_set(&cli->failure, STATUS_FAILED,
				       "%s cannot be used with crun: crun ignores its archMap, "
				       "includes and excludes, and would allow what they close; "
				       "start the container with podman, or name a profile "
				       "without these with --base",
				       base);
}

static cJSON *make(struct cli *cli, const char *base, const struct profile *wanted)
{
	cleanup_free char *why = NULL;
	cJSON *profile = base ? read_base(cli, base) : profile_make(wanted);
	if (!profile && !base)
		failure_memory(&cli->failure);
	if (!profile || !base || profile_change(profile, wanted, &why) == 0)
		return profile;
	wrong_base(cli, base, why ? why : "out of memory");
	cJSON_Delete(profile);
	return NULL;
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct oci_values *values = given;
	cleanup_free char *joined = oci_join(cli, words);
	cleanup_free char *socket = joined ? oci_socket(cli, values, geteuid() == 0) : NULL;
	if (!socket)
		return -1;
	const struct profile wanted = {
		.socket = socket, .metadata = joined, .opens = !values->no_opens};
	cJSON *profile = make(cli, values->base, &wanted);
	if (!profile)
		return -1;
	output_json(profile);
	cJSON_Delete(profile);
	return 0;
}

const struct command oci_seccomp_command = {
	.name = "seccomp",
	.words = "TUNNEL_ID [TUNNEL_ID...]",
	.summary = "print a seccomp profile that gives a container these tunnels",
	.words_min = 1,
	.words_max = TUNNELS_MAX,
	.options = oci_options,
	.values_size = sizeof(struct oci_values),
	.run = run,
};
