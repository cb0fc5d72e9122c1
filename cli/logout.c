#include <stdio.h>
#include <unistd.h>

#include "cli/auth.h"
#include "cli/cleanup.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/tokens.h"

static int revoke_token(struct cli *cli, const struct credentials *credentials, const char *token)
{
	const char *pairs[] = {"token", token, "client_id",
			       credentials->secret ? NULL : credentials->client, NULL};
	cJSON *answer;
	int err = auth_request(cli, credentials, "/v2/oauth2/token/revoke", pairs, &answer);
	json_wipe(answer);
	return err;
}

/* Revoke each token; they are out of the cache already. The first failure stays in cli->failure. */
static int revoke_all(struct cli *cli, const struct credentials *credentials, const cJSON *taken)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, taken)
	{
		const char *access = json_text(item, "access_token");
		const char *refresh = json_text(item, "refresh_token");
		if ((refresh && revoke_token(cli, credentials, refresh) < 0) ||
		    (access && revoke_token(cli, credentials, access) < 0))
			return failure_prefix(&cli->failure,
					      "the tokens are gone from here, but not revoked: ");
	}
	return 0;
}

/* Take our tokens out of the cache: a list of them, to be wiped, or NULL with cli->failure. */
static cJSON *take(struct cli *cli, const struct credentials *credentials)
{
	int waited;
	cleanup_free char *issuer = cli_service_url(cli, "AUTH");
	cleanup_fd int lock = issuer ? tokens_lock(&waited, &cli->failure) : -1;
	cJSON *list = lock < 0 ? NULL : tokens_load(&cli->failure);
	if (!list)
		return NULL;
	cJSON *taken = tokens_take(list, issuer, credentials->client, !credentials->secret);
	if (cJSON_GetArraySize(taken) > 0 && tokens_save(list, &cli->failure) < 0) {
		json_wipe(taken);
		taken = NULL;
	}
	json_wipe(list);
	return taken;
}

static int run(struct cli *cli, const void *values, char **words)
{
	struct credentials credentials;
	if (auth_credentials(cli, &credentials) < 0)
		return -1;
	cJSON *taken = take(cli, &credentials);
	if (!taken)
		return -1;
	int count = cJSON_GetArraySize(taken), err = revoke_all(cli, &credentials, taken);
	json_wipe(taken);
	if (err)
		return err;
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
	.summary = "revoke the tokens that are kept here, and forget them",
	.run = run,
};
