#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/base/terminal.h"
#include "cli/command/command.h"
#include "cli/service/client.h"
#include "cli/service/json.h"
#include "cli/service/login_flow.h"
#include "cli/service/output.h"
#include "cli/service/tokens.h"

struct values {
	bool no_browser, force, mfa;
	struct option_list scopes, endpoints;
	const char *identity, *policy, *domain, *client_id;
};

static const struct option_spec options[] = {
	{0, "client-id", "ID", "log in with this client id, and remember it", OPTION_TEXT,
	 offsetof(struct values, client_id)},
	{0, "no-browser", NULL, "paste a code", OPTION_FLAG, offsetof(struct values, no_browser)},
	{0, "no-local-server", NULL, NULL, OPTION_FLAG, offsetof(struct values, no_browser)},
	{0, "force", NULL, "log in again even if already logged in", OPTION_FLAG,
	 offsetof(struct values, force)},
	{0, "endpoint", "ID", "also the GCS Manager of an endpoint", OPTION_LIST,
	 offsetof(struct values, endpoints)},
	{0, "gcs", "ID", NULL, OPTION_LIST, offsetof(struct values, endpoints)},
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

/* Whether a login exists that covers Transfer and can be renewed: 1, 0, or -1 with cli->failure: a
 * new one could not be stored either. */
static int is_logged_in(struct cli *cli, const struct credentials *credentials)
{
	struct token token;
	cleanup_free char *issuer = cli_service_url(cli, "AUTH");
	cJSON *list = issuer ? tokens_load(cli->profile, &cli->failure) : NULL;
	struct token_name name = {TRANSFER_SERVER, issuer, credentials->client, true};
	if (!list)
		return -1;
	bool there = tokens_find(list, &name, &token) == 0 && token.refresh;
	json_wipe(list);
	return there;
}

/* idle: there was nothing to do, which --quiet does not want to hear. */
static void print(const struct cli *cli, bool idle, const char *text)
{
	if (cli->json) {
		cJSON *object = cJSON_CreateObject();
		cJSON_AddTrueToObject(object, "logged_in");
		output_json(object);
		cJSON_Delete(object);
	} else if (!idle || !cli->quiet) {
		printf("%s\n", text);
	}
}

/* What in the environment every other command would use in place of that id; NULL: nothing. */
static const char *what_wins(const char *id)
{
	const char *service = getenv("GLOBUS_CLI_CLIENT_ID");
	const char *usual = getenv("GLOBUS_STREAMS_CLIENT_ID");
	if (service && *service)
		return "GLOBUS_CLI_CLIENT_ID";
	return usual && *usual && strcasecmp(usual, id) != 0 ? "GLOBUS_STREAMS_CLIENT_ID" : NULL;
}

/* --client-id is the client of this run. */
static int take_client(struct cli *cli, const char *given)
{
	if (cli_uuid(cli, "a client's", given, cli->client) < 0)
		return failure_prefix(&cli->failure, "--client-id: ");
	const char *winner = what_wins(cli->client);
	if (winner)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "--client-id would have no effect on other commands: %s is set "
				   "and is used first; unset it",
				   winner);
	cli->client_source = CLIENT_REMEMBERED;
	return 0;
}

/* How to get a client id, in a line for each thing. */
#define REGISTER                                                                                   \
	"to log in as yourself, register an app once: at "                                         \
	"https://app.globus.org/settings/developers choose \"Register a thick client or script "   \
	"that will be installed and run by users on their devices\", with the redirects "          \
	"https://auth.globus.org/v2/web/auth-code and http://localhost"
#define SERVICE                                                                                    \
	"a service account needs no login: choose \"Register a service account or application "    \
	"credential for automation\" there, and set GLOBUS_CLI_CLIENT_ID and "                     \
	"GLOBUS_CLI_CLIENT_SECRET"

/* Programs get the failure alone. */
static int explain(struct cli *cli)
{
	if (cli->failure.status != STATUS_LOGIN)
		return -1;
	if (!cli->json) {
		say_note("%s", REGISTER);
		say_note("%s", SERVICE);
	}
	return failure_set(&cli->failure, STATUS_LOGIN,
			   "not logged in: no client id is known; give the app's Client UUID once: "
			   "%s --client-id UUID (or set GLOBUS_STREAMS_CLIENT_ID, or build with "
			   "-Dclient_id=UUID)",
			   cli_login_command(cli));
}

/* Remember --client-id where no login is needed for it. */
static int remember(struct cli *cli, const struct credentials *credentials)
{
	int waited;
	cleanup_free char *issuer = cli_service_url(cli, "AUTH");
	cleanup_fd int lock = issuer ? tokens_lock(cli->profile, &waited, &cli->failure) : -1;
	return lock < 0 ? -1 : client_remember(cli, issuer, credentials->client, &cli->failure);
}

static int log_in(struct cli *cli, const struct credentials *credentials,
		  const struct values *values)
{
	cleanup_free char *scopes = all_scopes(cli, values);
	if (!scopes)
		return -1;
	struct terminal terminal;
	struct demands demands = {.identities = (char *)values->identity,
				  .policies = (char *)values->policy,
				  .domains = (char *)values->domain,
				  .prompt = (char *)(values->force ? "login" : NULL),
				  .mfa = values->mfa};
	struct login_wish wish = {.scopes = scopes,
				  .demands = &demands,
				  .browser = !values->no_browser && login_flow_has_browser(),
				  .terminal = &terminal,
				  .remember = values->client_id};
	if (terminal_open(&terminal) < 0)
		terminal_substitute(&terminal, cli->json ? stderr : stdout);
	int err = login_flow(cli, credentials, &wish);
	terminal_close(&terminal);
	return err;
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct credentials credentials;
	if (values->client_id && take_client(cli, values->client_id) < 0)
		return -1;
	if (auth_credentials(cli, &credentials) < 0)
		return explain(cli);
	if (credentials.secret) {
		print(cli, true,
		      "Client credentials from the environment are used; no login is needed.");
		return 0;
	}
	int there = is_logged_in(cli, &credentials);
	if (there < 0)
		return -1;
	bool asks = values->force || values->mfa || values->scopes.count ||
		    values->endpoints.count || values->identity || values->policy || values->domain;
	if (there && !asks) {
		if (values->client_id && remember(cli, &credentials) < 0)
			return -1;
		print(cli, true, "You are already logged in; to log in again, use --force.");
		return 0;
	}
	if (log_in(cli, &credentials, values) < 0)
		return -1;
	print(cli, false, "You are logged in.");
	return 0;
}

const struct command login_command = {
	.name = "login",
	.summary = "log in to Globus",
	.about = "Opens a browser if possible; otherwise prints an address and asks for the code "
		 "that its page shows. Without a client id, it explains how to get one.",
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
