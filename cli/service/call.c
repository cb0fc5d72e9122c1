#include "cli/service/call.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/proxy.h"
#include "cli/base/say.h"
#include "cli/base/terminal.h"
#include "cli/service/answer.h"
#include "cli/service/auth.h"
#include "cli/service/json.h"
#include "cli/service/login_flow.h"

int call_lacks(struct cli *cli, const char *service, const char *what, const char *field)
{
	return failure_set(&cli->failure, STATUS_FAILED,
			   "%s's answer about %s cannot be used: it has no valid '%s'; if this "
			   "persists, report it to support@globus.org",
			   service, what, field);
}

/* The answer is not from the service: only its own 404 means that something is gone. */
static int not_json(struct cli *cli, const struct call *call, long status)
{
	char proxy[PROXY_TEXT_MAX];
	proxy_describe(call->url, proxy);
	if (*proxy)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"the answer from %.300s is not %s's (HTTP %ld, no JSON), and came "
			"through the proxy %s; check that proxy, or list the host in "
			"no_proxy",
			call->url, call->service, status, proxy);
	return failure_set(
		&cli->failure, STATUS_FAILED,
		"the server at %.300s is not %s (HTTP %ld, no JSON); check the service's "
		"URL",
		call->url, call->service, status);
}

/* " --option 'text'", unless text is empty or could mean something to a shell. Free it. */
static char *option(const char *name, const char *text)
{
	char *out = NULL;
	for (const char *at = text; at && *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr(" :/._-@,+=*[]()~%", *at))
			text = NULL;
	int n = text ? asprintf(&out, " %s '%s'", name, text) : asprintf(&out, "%s", "");
	return n < 0 ? NULL : out;
}

/* The scopes that the login has to be for, so that it renews the token of this call too; NULL: no
 * memory. Free it. */
static char *wanted_scopes(const struct call *call, const struct demands *demands)
{
	const char *more = demands->scopes ? demands->scopes : "";
	const char *own = call->scope ? call->scope : "";
	char *scopes = NULL;
	if (strstr(LOGIN_SCOPES, own) || strstr(more, own))
		own = "";
	int n = asprintf(&scopes, "%s%s%s", own, *own && *more ? " " : "", more);
	return n < 0 ? NULL : scopes;
}

/* 401 or 403 with requirements for a new login. */
static int demanded(struct cli *cli, const struct call *call, long status,
		    const struct demands *demands, const cJSON *answer)
{
	cleanup_free char *wanted = wanted_scopes(call, demands);
	cleanup_free char *scopes = option("--scope", wanted && *wanted ? wanted : NULL);
	cleanup_free char *identities = option("--identity", demands->identities);
	cleanup_free char *policies = option("--policy", demands->policies);
	cleanup_free char *domains = option("--domain", demands->domains);
	if (!wanted || !scopes || !identities || !policies || !domains)
		return failure_memory(&cli->failure);
	struct credentials credentials;
	bool client = auth_credentials(cli, &credentials) == 0 && credentials.secret;
	failure_set(&cli->failure, STATUS_LOGIN,
		    "%s requires a new login (%s); %srun: %s --force%s%s%s%s%s", call->service,
		    demands->message ? demands->message : "no reason given",
		    client ? "client credentials cannot do that: ask its administrator to allow "
			     "the client, or unset GLOBUS_CLI_CLIENT_ID and "
			     "GLOBUS_CLI_CLIENT_SECRET and "
			   : "",
		    cli_login_command(cli), scopes, identities, policies, domains,
		    demands->mfa ? " --mfa" : "");
	cli_refused(cli, status, answer);
	return -1;
}

/* What to do where a request is refused. */
static const char *advice(const struct call *call, long status)
{
	if (status == 409)
		return "check its state, and try again";
	if (status != 400 && status != 415 && status != 422)
		return "check what this command was given";
	if (call->wrong)
		return call->wrong;
	return status == 422 ? "correct what it names, and try again"
			     : "if this persists, install a newer globus-streams, or report it";
}

static int refused(struct cli *cli, const struct call *call, long status, const cJSON *answer)
{
	cleanup_free char *message = answer_message(answer);
	const char *said = message ? message : "no reason given";
	struct credentials credentials;
	bool client = auth_credentials(cli, &credentials) == 0 && credentials.secret;
	if (status == 401 && call->scope)
		failure_set(&cli->failure, client ? STATUS_FAILED : STATUS_LOGIN,
			    "%s rejected the token (HTTP 401: %s); %s%s%s", call->service, said,
			    client ? "check GLOBUS_CLI_CLIENT_ID, and that Auth and the service "
				     "belong to the same Globus environment"
				   : "run: ",
			    client ? "" : cli_login_command(cli), client ? "" : " --force");
	else if (status == 403)
		failure_set(&cli->failure, STATUS_FAILED,
			    "%s denies access to %s (HTTP 403: %s); ask its owner, or use another "
			    "identity",
			    call->service, call->what, said);
	else if (status == 404)
		failure_set(&cli->failure, STATUS_FAILED, "%s did not find %s (HTTP 404: %s)%s%s",
			    call->service, call->what, said, call->next ? "; " : "",
			    call->next ? call->next : "");
	else if (answer_blames_endpoint(answer))
		failure_set(&cli->failure, STATUS_FAILED,
			    "%s could not complete the request for %s, because the endpoint failed "
			    "(HTTP %ld: %s); ask the endpoint's administrator, or try again later",
			    call->service, call->what, status, said);
	else if (status >= 500 || status == 429)
		failure_set(&cli->failure, STATUS_FAILED,
			    "%s is unavailable (HTTP %ld: %s); try again later", call->service,
			    status, said);
	else
		failure_set(&cli->failure, STATUS_FAILED,
			    "%s refused the request for %s (HTTP %ld: %s); %s", call->service,
			    call->what, status, said, advice(call, status));
	cli_refused(cli, status, answer);
	return -1;
}

static bool is_final(const struct http_response *response)
{
	cJSON *answer = json_parse(response->body, response->len);
	bool final = answer_blames_endpoint(answer);
	json_wipe(answer);
	return final;
}

/* One request, with retries; *status: the HTTP status. */
static int request(struct cli *cli, const struct call *call, const char *token, const char *body,
		   long *status, cJSON **answer)
{
	struct http_request request = {.service = call->service,
				       .method = call->method,
				       .url = call->url,
				       .bearer = token,
				       .type = body ? "application/json" : NULL,
				       .body = body,
				       .is_final = is_final};
	struct http_response response;
	if (http_perform(cli->http, &request, &response, &cli->failure) < 0)
		return -1;
	*status = response.status;
	cli->tries = response.tries;
	cli->received = response.len;
	cli->date = response.date;
	*answer = json_parse(response.body, response.len);
	if (*answer && !cJSON_IsObject(*answer)) {
		json_wipe(*answer);
		*answer = NULL;
	}
	http_response_finish(&response);
	return 0;
}

static int with_token(struct cli *cli, const struct call *call, const char *body, long *status,
		      cJSON **answer)
{
	cleanup_wipe char *token = NULL, *other = NULL;
	if (!call->scope)
		return request(cli, call, NULL, body, status, answer);
	if (auth_token(cli, call->server, call->scope, NULL, &token) < 0 ||
	    request(cli, call, token, body, status, answer) < 0)
		return -1;
	if (*status != 401)
		return 0;
	struct demands demands;
	answer_demands(*answer, &demands);
	bool any = demands.any;
	demands_finish(&demands);
	if (any)
		return 0;
	json_wipe(*answer);
	*answer = NULL;
	if (auth_token(cli, call->server, call->scope, token, &other) < 0)
		return -1;
	return request(cli, call, other, body, status, answer);
}

static int judge(struct cli *cli, const struct call *call, long status,
		 const struct demands *demands, const cJSON *answer)
{
	if (demands->any)
		return demanded(cli, call, status, demands, answer);
	if (status >= 200 && status <= 299) {
		/* A successful DELETE may have no body: 204, or an empty 200. */
		bool silent = !cli->received && strcmp(call->method, "DELETE") == 0;
		return answer || silent ? 0 : not_json(cli, call, status);
	}
	if (answer || status == 401 || status == 403 || status == 429 || status >= 500)
		return refused(cli, call, status, answer);
	return not_json(cli, call, status);
}

/* Log in as call needs it, if a user can be asked and has not been yet. 0, or -1. */
static int ask_login(struct cli *cli, const struct call *call, const struct demands *demands)
{
	struct credentials credentials;
	struct terminal terminal = {.in = -1};
	struct failure reason = cli->failure;
	cleanup_free char *scopes = NULL;
	cli->failure = (struct failure){0};
	if (!cli->asking || cli->asked || auth_credentials(cli, &credentials) < 0 ||
	    credentials.secret ||
	    asprintf(&scopes, "%s %s%s%s", LOGIN_SCOPES, call->scope, demands->scopes ? " " : "",
		     demands->scopes ? demands->scopes : "") < 0 ||
	    terminal_open(&terminal) < 0) {
		failure_finish(&cli->failure);
		cli->failure = reason;
		return -1;
	}
	cli->asked = true;
	say_note("%s requires a login%s%s", call->service, demands->message ? ": " : "",
		 demands->message ? demands->message : "");
	failure_finish(&reason);
	struct login_wish wish = {.scopes = scopes,
				  .demands = demands,
				  .browser = login_flow_has_browser(),
				  .terminal = &terminal};
	int err = login_flow(cli, &credentials, &wish);
	terminal_close(&terminal);
	return err;
}

static int attempt(struct cli *cli, const struct call *call, const char *body,
		   struct demands *demands, cJSON **answer)
{
	long status = 0;
	*answer = NULL;
	int err = with_token(cli, call, body, &status, answer);
	if (!err && (status == 401 || status == 403))
		answer_demands(*answer, demands);
	if (!err)
		err = judge(cli, call, status, demands, *answer);
	if (err) {
		json_wipe(*answer);
		*answer = NULL;
	}
	return err;
}

int call_json(struct cli *cli, const struct call *call, cJSON **answer)
{
	struct demands demands = {0};
	*answer = NULL;
	if (!cli_http(cli))
		return -1;
	char *body = call->body ? cJSON_PrintUnformatted(call->body) : NULL;
	if (call->body && !body)
		return failure_memory(&cli->failure);
	int err = attempt(cli, call, body, &demands, answer);
	if (err && call->scope && cli->failure.status == STATUS_LOGIN &&
	    ask_login(cli, call, &demands) == 0) {
		demands_finish(&demands);
		err = attempt(cli, call, body, &demands, answer);
	}
	demands_finish(&demands);
	free(body);
	return err;
}
