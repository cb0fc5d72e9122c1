#include <stddef.h>
#include <stdio.h>

#include "cli/base/cleanup.h"
#include "cli/command/command.h"
#include "cli/service/auth.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/output.h"

struct user {
	const char *id, *username, *name, *email;
};

static const struct json_field fields[] = {
	{"sub", JSON_TEXT, true, offsetof(struct user, id)},
	{"preferred_username", JSON_TEXT, true, offsetof(struct user, username)},
	{"name", JSON_TEXT, false, offsetof(struct user, name)},
	{"email", JSON_TEXT, false, offsetof(struct user, email)},
};

static int print(struct cli *cli, const cJSON *answer)
{
	struct user user = {0};
	const char *at;
	if (json_read(answer, fields, sizeof(fields) / sizeof(*fields), &user, &at) < 0)
		return call_lacks(cli, "Auth", "your identity", at);
	if (cli->json)
		output_json(answer);
	else
		output_line("%s", user.username);
	return 0;
}

static int run(struct cli *cli, const void *values, char **words)
{
	cleanup_free char *base = cli_service_url(cli, "AUTH"), *url = NULL;
	cJSON *answer;
	if (!base)
		return -1;
	if (asprintf(&url, "%s/v2/oauth2/userinfo", base) < 0) {
		url = NULL;
		return failure_memory(&cli->failure);
	}
	struct call call = {"Auth",          AUTH_SERVER, AUTH_SCOPES, "GET",
			    "your identity", NULL,        url,         NULL};
	if (call_json(cli, &call, &answer) < 0)
		return -1;
	int err = print(cli, answer);
	json_wipe(answer);
	return err;
}

const struct command whoami_command = {
	.name = "whoami",
	.summary = "print who is logged in",
	.run = run,
};
