#include <stdio.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/command/command.h"
#include "cli/service/auth.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/tokens.h"

struct values {
	bool yes;
};

static const struct option_spec options[] = {
	{0, "yes", NULL, "accepted for scripts: nothing is asked anyway", OPTION_FLAG,
	 offsetof(struct values, yes)},
	{0},
};

static int revoke_token(struct cli *cli, const struct credentials *credentials, const char *token)
{
	const char *pairs[] = {"token", token, "client_id",
			       credentials->secret ? NULL : credentials->client, NULL};
	cJSON *answer;
	int err = auth_request(cli, credentials, "/v2/oauth2/token/revoke", pairs, &answer);
	json_wipe(answer);
	return err;
}

/* Revoke each token. None is deleted before that, so that a failed logout can be repeated. */
static int revoke_all(struct cli *cli, const struct credentials *credentials, const cJSON *taken)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, taken)
	{
		const char *access = json_text(item, "access_token");
		const char *refresh = json_text(item, "refresh_token");
		if ((refresh && revoke_token(cli, credentials, refresh) < 0) ||
		    (access && revoke_token(cli, credentials, access) < 0))
			return failure_prefix(&cli->failure, "not logged out: ");
	}
	return 0;
}

/* Revoke our tokens and take them out of the cache, whose lock is held: how many entries, or -1. */
static int forget(struct cli *cli, const struct credentials *credentials, const char *issuer)
{
	cJSON *list = tokens_load(cli->profile, &cli->failure);
	if (!list)
		return -1;
	cJSON *taken = tokens_take(list, issuer, credentials->client, !credentials->secret);
	int count = cJSON_GetArraySize(taken);
	if (count && (revoke_all(cli, credentials, taken) < 0 ||
		      tokens_save(cli->profile, list, &cli->failure) < 0))
		count = -1;
	json_wipe(taken);
	json_wipe(list);
	return count;
}

static int run(struct cli *cli, const void *values, char **words)
{
	struct credentials credentials;
	if (auth_credentials(cli, &credentials) < 0)
		return -1;
	int waited;
	cleanup_free char *issuer = cli_service_url(cli, "AUTH");
	cleanup_fd int lock = issuer ? tokens_lock(cli->profile, &waited, &cli->failure) : -1;
	int count = lock < 0 ? -1 : forget(cli, &credentials, issuer);
	if (count < 0)
		return -1;
	if (cli->json) {
		cJSON *object = cJSON_CreateObject();
		cJSON_AddNumberToObject(object, "revoked", count);
		output_json(object);
		cJSON_Delete(object);
	} else {
		printf("%s\n", count ? "You are logged out." : "You were not logged in.");
	}
	return 0;
}

const struct command logout_command = {
	.name = "logout",
	.summary = "revoke and delete the tokens stored on this machine",
	.about = "Those of the profile and the client in use. The client id stays remembered.",
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
