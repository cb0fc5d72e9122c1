#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/command/command.h"
#include "cli/service/json.h"
#include "cli/service/login_flow.h"
#include "cli/service/output.h"
#include "cli/service/tokens.h"

struct values {
	bool no_browser, force, mfa;
	struct option_list scopes, endpoints;
	const char *identity, *policy, *domain;
};

static const struct option_spec options[] = {
	{0, "no-browser", NULL, "print the address and prompt for the code", OPTION_FLAG,
	 offsetof(struct values, no_browser)},
	{0, "force", NULL, "log in again even if already logged in", OPTION_FLAG,
	 offsetof(struct values, force)},
	{0, "endpoint", "ID", "also cover the GCS Manager of this endpoint", OPTION_LIST,
	 offsetof(struct values, endpoints)},
	{0, "scope", "SCOPES", "also request these scopes, as named by a service", OPTION_LIST,
	 offsetof(struct values, scopes)},
	{0, "identity", "LIST", "require one of these identities in the session", OPTION_TEXT,
	 offsetof(struct values, identity)},
	{0, "policy", "LIST", "require these session policies", OPTION_TEXT,
	 offsetof(struct values, policy)},
	{0, "domain", "LIST", "require an identity of one of these domains", OPTION_TEXT,
	 offsetof(struct values, domain)},
	{0, "mfa", NULL, "require a second factor", OPTION_FLAG, offsetof(struct values, mfa)},
	{0},
};

/* The scopes to request: LOGIN_SCOPES and those of the options. Free it; NULL with cli->failure. */
static char *all_scopes(struct cli *cli, const struct values *values)
{
	char *all = strdup(LOGIN_SCOPES);
	for (size_t i = 0; all && i < values->scopes.count + values->endpoints.count; i++) {
		char id[37], *longer = NULL;
		cleanup_free char *of_endpoint = NULL;
		const char *scope = NULL;
		if (i < values->scopes.count) {
			scope = values->scopes.items[i];
		} else if (cli_uuid(cli, "an endpoint's",
				    values->endpoints.items[i - values->scopes.count], id) == 0) {
			scope = of_endpoint = auth_endpoint_scope(id);
		}
		if (!scope || asprintf(&longer, "%s %s", all, scope) < 0)
			longer = NULL;
		free(all);
		all = longer;
	}
	if (!all && !cli->failure.status)
		failure_memory(&cli->failure);
	return all;
}

/* Whether a login exists that covers Transfer and can be renewed. */
static bool is_logged_in(struct cli *cli, const struct credentials *credentials)
{
	struct token token;
	cleanup_free char *issuer = cli_service_url(cli, "AUTH");
	cJSON *list = issuer ? tokens_load(&cli->failure) : NULL;
	struct token_name name = {TRANSFER_SERVER, issuer, credentials->client, true};
	bool there = list && tokens_find(list, &name, &token) == 0 && token.refresh;
	json_wipe(list);
	failure_finish(&cli->failure);
	return there;
}

static void print(const struct cli *cli, const char *text)
{
	if (cli->json) {
		cJSON *object = cJSON_CreateObject();
		cJSON_AddTrueToObject(object, "logged_in");
		output_json(object);
		cJSON_Delete(object);
	} else {
		printf("%s\n", text);
	}
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct credentials credentials;
	if (auth_credentials(cli, &credentials) < 0)
		return -1;
	if (credentials.secret) {
		print(cli, "Client credentials from the environment are used; no login is needed.");
		return 0;
	}
	bool asks = values->force || values->mfa || values->scopes.count ||
		    values->endpoints.count || values->identity || values->policy || values->domain;
	if (!asks && is_logged_in(cli, &credentials)) {
		print(cli, "You are already logged in; to log in again, use --force.");
		return 0;
	}
	cleanup_free char *scopes = all_scopes(cli, values);
	if (!scopes)
		return -1;
	struct demands demands = {.identities = (char *)values->identity,
				  .policies = (char *)values->policy,
				  .domains = (char *)values->domain,
				  .mfa = values->mfa};
	struct login_wish wish = {.scopes = scopes,
				  .demands = &demands,
				  .browser = !values->no_browser && login_flow_has_browser(),
				  .out = cli->json ? stderr : stdout};
	if (login_flow(cli, &credentials, &wish) < 0)
		return -1;
	print(cli, "You are logged in.");
	return 0;
}

const struct command login_command = {
	.name = "login",
	.summary = "log in to Globus",
	.about = "Opens a browser if possible; otherwise prints an address and prompts for the "
		 "code that its page shows. Not needed with client credentials in "
		 "GLOBUS_CLI_CLIENT_ID and GLOBUS_CLI_CLIENT_SECRET.",
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
