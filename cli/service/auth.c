#include "cli/service/auth.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/service/answer.h"
#include "cli/service/client.h"
#include "cli/service/json.h"
#include "cli/service/tokens.h"

#define EARLY_S    60 /* a token is renewed this long before it ends */
#define TOKEN_MAX  16384
#define OTHERS_MAX 100 /* further tokens in an answer */

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

int auth_credentials(struct cli *cli, struct credentials *credentials)
{
	const char *client = environment("GLOBUS_CLI_CLIENT_ID");
	const char *secret = environment("GLOBUS_CLI_CLIENT_SECRET");
	if (!client != !secret)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "GLOBUS_CLI_CLIENT_%s is set without GLOBUS_CLI_CLIENT_%s; set "
				   "both or neither",
				   client ? "ID" : "SECRET", client ? "SECRET" : "ID");
	if (!client)
		return client_choose(cli, credentials);
	*credentials = (struct credentials){client, secret, "GLOBUS_CLI_CLIENT_ID"};
	return 0;
}

char *auth_endpoint_scope(const char *endpoint)
{
	char *scope = NULL;
	int n = asprintf(&scope, "urn:globus:auth:scope:%s:manage_collections", endpoint);
	return n < 0 ? NULL : scope;
}

static int refused(struct cli *cli, const struct credentials *credentials, long status,
		   const cJSON *answer)
{
	cleanup_free char *message = answer_message(answer);
	const char *said = message ? message : "no reason given";
	const char *error = json_text(answer, "error");
	if (credentials->secret && status >= 400 && status < 500)
		failure_set(&cli->failure, STATUS_FAILED,
			    "Auth refused the client credentials (HTTP %ld: %s); check "
			    "GLOBUS_CLI_CLIENT_ID and GLOBUS_CLI_CLIENT_SECRET",
			    status, said);
	else if (error && strcmp(error, "invalid_grant") == 0)
		failure_set(&cli->failure, STATUS_LOGIN,
			    "the login is no longer valid (%s); run: %s --force", said,
			    cli_login_command(cli));
	else
		failure_set(&cli->failure, STATUS_FAILED, "Auth answered HTTP %ld: %s%s", status,
			    said, status >= 500 ? "; try again later" : "");
	cli_refused(cli, status, answer);
	return -1;
}

static int ask(struct cli *cli, const struct http_request *request,
	       const struct credentials *credentials, cJSON **answer)
{
	struct http_response response;
	if (http_perform(cli->http, request, &response, &cli->failure) < 0)
		return -1;
	*answer = response.len ? json_parse(response.body, response.len) : NULL;
	if (*answer && !cJSON_IsObject(*answer)) {
		json_wipe(*answer);
		*answer = NULL;
	}
	long status = response.status;
	bool garbled = response.len && !*answer;
	http_response_finish(&response);
	if (status < 200 || status > 299) {
		refused(cli, credentials, status, *answer);
	} else if (garbled) {
		failure_set(&cli->failure, STATUS_FAILED,
			    "the server at %s is not Auth: its answer is not JSON; check "
			    "GLOBUS_SDK_SERVICE_URL_AUTH and the proxy settings",
			    request->url);
	} else {
		return 0;
	}
	json_wipe(*answer);
	*answer = NULL;
	return -1;
}

int auth_request(struct cli *cli, const struct credentials *credentials, const char *path,
		 const char *const *pairs, cJSON **answer)
{
	cleanup_free char *base = NULL, *url = NULL;
	cleanup_wipe char *form = NULL;
	struct http *http = cli_http(cli);
	*answer = NULL;
	if (!http || !(base = cli_service_url(cli, "AUTH")))
		return -1;
	if (asprintf(&url, "%s%s", base, path) < 0)
		url = NULL;
	form = http_form(http, pairs);
	if (!url || !form)
		return failure_memory(&cli->failure);
	struct http_request request = {.service = "Auth",
				       .method = "POST",
				       .url = url,
				       .type = "application/x-www-form-urlencoded",
				       .body = form};
	if (credentials->secret) {
		request.user = credentials->client;
		request.password = credentials->secret;
	}
	return ask(cli, &request, credentials, answer);
}

struct grant {
	const char *access, *refresh, *scope, *server;
	int64_t lifetime;
};

static const struct json_field grant_fields[] = {
	{"access_token", JSON_TEXT, true, offsetof(struct grant, access)},
	{"resource_server", JSON_TEXT, true, offsetof(struct grant, server)},
	{"expires_in", JSON_INTEGER, true, offsetof(struct grant, lifetime)},
	{"refresh_token", JSON_TEXT, false, offsetof(struct grant, refresh)},
	{"scope", JSON_TEXT, false, offsetof(struct grant, scope)},
};

/* A token goes into a header: only visible ASCII is allowed. */
static bool is_token(const char *text)
{
	const char *at = text;
	for (; *at; at++)
		if (*at < 0x21 || *at > 0x7e || at - text >= TOKEN_MAX)
			return false;
	return at > text;
}

static int keep_one(struct cli *cli, const struct credentials *credentials, const char *issuer,
		    cJSON *list, const cJSON *item)
{
	struct grant grant = {0};
	const char *at;
	if (json_read(item, grant_fields, sizeof(grant_fields) / sizeof(*grant_fields), &grant,
		      &at) < 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "Auth's token answer has no valid %s", at);
	if (!is_token(grant.access))
		return failure_set(&cli->failure, STATUS_FAILED,
				   "Auth's token answer has no valid access_token");
	struct token_name name = {grant.server, issuer, credentials->client, !credentials->secret};
	/* A renewal may omit the refresh token: the old one stays valid. */
	struct token token, old = {0};
	cleanup_wipe char *refresh = NULL;
	if (!grant.refresh && tokens_find(list, &name, &old) == 0 && old.refresh)
		refresh = strdup(old.refresh);
	token = (struct token){.access = grant.access,
			       .refresh = grant.refresh ? grant.refresh : refresh,
			       .scope = grant.scope,
			       .expires = (int64_t)time(NULL) + grant.lifetime};
	return tokens_set(list, &name, &token, &cli->failure);
}

int auth_take(struct cli *cli, const struct credentials *credentials, cJSON *list,
	      const cJSON *answer)
{
	cleanup_free char *issuer = cli_service_url(cli, "AUTH");
	if (!issuer || keep_one(cli, credentials, issuer, list, answer) < 0)
		return -1;
	const cJSON *item, *others = json_at(answer, "other_tokens");
	if (others && !cJSON_IsArray(others))
		return failure_set(&cli->failure, STATUS_FAILED,
				   "Auth's token answer has no valid other_tokens");
	if (cJSON_GetArraySize(others) > OTHERS_MAX)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "Auth's token answer has more than %d tokens", OTHERS_MAX);
	cJSON_ArrayForEach(item, others)
	{
		if (keep_one(cli, credentials, issuer, list, item) < 0)
			return -1;
	}
	return 0;
}

void auth_save(const struct cli *cli, const cJSON *list)
{
	struct failure saving = {0};
	if (tokens_save(cli->profile, list, &saving) < 0) {
		say_warning("the token is not stored: %s", saving.text);
		failure_finish(&saving);
	}
}

/* Whether scopes has that one word. */
static bool has_word(const char *scopes, const char *word, size_t len)
{
	for (const char *at = scopes; *at; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == len && strncmp(at, word, len) == 0)
			return true;
	return false;
}

/* Whether scopes has every word of wanted. Unknown scopes (NULL) are taken to be enough. */
static bool has_scope(const char *scopes, const char *wanted)
{
	for (const char *at = wanted; scopes && *at; at += strcspn(at, " "), at += *at == ' ')
		if (!has_word(scopes, at, strcspn(at, " ")))
			return false;
	return true;
}

static char *valid(const cJSON *list, const struct token_name *name, const char *scope,
		   const char *rejected)
{
	struct token token;
	if (tokens_find(list, name, &token) < 0 || !is_token(token.access) ||
	    token.expires - EARLY_S <= (int64_t)time(NULL) || !has_scope(token.scope, scope))
		return NULL;
	if (rejected && strcmp(token.access, rejected) == 0)
		return NULL;
	return strdup(token.access);
}

static int login_needed(struct cli *cli, const char *client, const char *server, const char *scope,
			bool known)
{
	const char *login = cli_login_command(cli);
	bool transfer = strcmp(server, TRANSFER_SERVER) == 0,
	     auth = strcmp(server, AUTH_SERVER) == 0;
	/* Every login covers these two. */
	if (!known && (transfer || auth))
		return failure_set(&cli->failure, STATUS_LOGIN,
				   "not logged in (client %s, %s%s); run: %s (or set "
				   "GLOBUS_CLI_CLIENT_ID and GLOBUS_CLI_CLIENT_SECRET)",
				   client, cli->profile ? "profile " : "default profile",
				   cli->profile ? cli->profile : "", login);
	if (transfer)
		return failure_set(&cli->failure, STATUS_LOGIN,
				   "the login does not cover Transfer; run: %s --force", login);
	if (auth && strncmp(scope, AUTH_SCOPES " ", strlen(AUTH_SCOPES " ")) == 0)
		scope += strlen(AUTH_SCOPES " ");
	if (auth)
		return failure_set(
			&cli->failure, STATUS_LOGIN,
			"the login lacks the consent that this needs; run: %s --scope '%s'", login,
			scope);
	return failure_set(&cli->failure, STATUS_LOGIN,
			   "the login does not cover the GCS Manager of endpoint %s; run: %s "
			   "--scope '%s'",
			   server, login, scope);
}

/* Ask Auth for a new token. list: the cache as it is. */
static int ask_anew(struct cli *cli, const struct credentials *credentials,
		    const struct token_name *name, const char *scope, const cJSON *list,
		    cJSON **answer)
{
	struct token old = {0};
	bool known = tokens_find(list, name, &old) == 0;
	if (!credentials->secret && (!known || !old.refresh || !has_scope(old.scope, scope)))
		return login_needed(cli, credentials->client, name->server, scope, known);
	const char *by_secret[] = {"grant_type", "client_credentials", "scope", scope, NULL};
	const char *by_login[] = {"grant_type", "refresh_token", "refresh_token",
				  old.refresh,  "client_id",     credentials->client,
				  NULL};
	return auth_request(cli, credentials, "/v2/oauth2/token",
			    credentials->secret ? by_secret : by_login, answer);
}

static int keep_anew(struct cli *cli, const struct credentials *credentials,
		     const struct token_name *name, const cJSON *answer, char **token)
{
	struct token fresh;
	cJSON *list = tokens_load(cli->profile, &cli->failure);
	if (!list)
		return -1;
	int err = auth_take(cli, credentials, list, answer);
	/* An expired token is the old one: the answer had none for this server. */
	if (!err && tokens_find(list, name, &fresh) == 0 && fresh.expires > (int64_t)time(NULL))
		*token = strdup(fresh.access);
	else if (!err)
		err = failure_set(&cli->failure, STATUS_FAILED, "Auth returned no token for %s",
				  name->server);
	if (!err)
		auth_save(cli, list);
	json_wipe(list);
	return err;
}

static int renew(struct cli *cli, const struct credentials *credentials,
		 const struct token_name *name, const char *scope, const char *rejected,
		 char **token)
{
	int waited, again;
	int lock = tokens_lock(cli->profile, &waited, &cli->failure);
	cJSON *list = lock < 0 ? NULL : tokens_load(cli->profile, &cli->failure), *answer = NULL;
	int err = list ? 0 : -1;
	/* Another process may have renewed it already. */
	if (!err)
		*token = valid(list, name, scope, rejected);
	if (!err && !*token) {
		/* The previous holder of the lock got none: all that waited now ask at once, not
		 * in turn. */
		if (waited)
			close(lock);
		err = ask_anew(cli, credentials, name, scope, list, &answer);
		if (waited)
			lock = tokens_lock(cli->profile, &again, &cli->failure);
		if (!err)
			err = lock < 0 ? -1 : keep_anew(cli, credentials, name, answer, token);
	}
	if (lock >= 0)
		close(lock);
	json_wipe(answer);
	json_wipe(list);
	return err;
}

int auth_token(struct cli *cli, const char *server, const char *scope, const char *rejected,
	       char **token)
{
	struct credentials credentials;
	*token = NULL;
	if (auth_credentials(cli, &credentials) < 0)
		return -1;
	cleanup_free char *issuer = cli_service_url(cli, "AUTH");
	cJSON *list = issuer ? tokens_load(cli->profile, &cli->failure) : NULL;
	if (!list)
		return -1;
	struct token_name name = {server, issuer, credentials.client, !credentials.secret};
	*token = valid(list, &name, scope, rejected);
	json_wipe(list);
	say_debug("%s token for %s", *token ? "using the stored" : "asking Auth for a", server);
	if (*token)
		return 0;
	return renew(cli, &credentials, &name, scope, rejected, token);
}
