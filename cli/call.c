#include "cli/call.h"

#include <stdlib.h>
#include <string.h>

#include "cli/answer.h"
#include "cli/auth.h"
#include "cli/cleanup.h"
#include "cli/json.h"

int call_lacks(struct cli *cli, const char *service, const char *what, const char *field)
{
	return failure_set(&cli->failure, STATUS_FAILED,
			   "%s's answer about %s cannot be used: it lacks a proper '%s'; if that "
			   "persists, report it to support@globus.org",
			   service, what, field);
}

static int not_json(struct cli *cli, const struct call *call, long status)
{
	failure_set(&cli->failure, STATUS_FAILED,
		    "what answers at %s is not %s (HTTP %ld, no JSON); check the service's URL and "
		    "proxies",
		    call->url, call->service, status);
	cli->failure.http = status;
	return -1;
}

/* 401 or 403 with what a new login has to bring. */
static int demanded(struct cli *cli, const struct call *call, const struct demands *demands)
{
	const char *message = demands->message ? demands->message : "it gives no reason";
	return failure_set(
		&cli->failure, STATUS_LOGIN,
		"%s asks for another login (%s); run: globus-streams login%s%s%s%s%s%s%s%s%s",
		call->service, message, demands->scopes ? " --scope '" : "",
		demands->scopes ? demands->scopes : "", demands->scopes ? "'" : "",
		demands->identities ? " --identity " : "",
		demands->identities ? demands->identities : "",
		demands->policies ? " --policy " : "", demands->policies ? demands->policies : "",
		demands->domains ? " --domain " : "", demands->domains ? demands->domains : "");
}

static int refused(struct cli *cli, const struct call *call, long status, const cJSON *answer)
{
	cleanup_free char *message = answer_message(answer);
	const char *said = message ? message : "no reason given";
	struct credentials credentials;
	bool client = auth_credentials(cli, &credentials) == 0 && credentials.secret;
	if (status == 401)
		failure_set(&cli->failure, client ? STATUS_FAILED : STATUS_LOGIN,
			    "%s does not take our token (HTTP 401: %s); %s", call->service, said,
			    client ? "check GLOBUS_CLI_CLIENT_ID and that Auth and the service "
				     "belong together"
				   : "run: globus-streams login");
	else if (status == 403)
		failure_set(
			&cli->failure, STATUS_FAILED,
			"%s does not allow it: %s (HTTP 403: %s); ask its owner, or use another "
			"identity",
			call->service, call->what, said);
	else if (status == 404)
		failure_set(&cli->failure, STATUS_FAILED, "%s knows no %s (HTTP 404: %s)%s%s",
			    call->service, call->what, said, call->next ? "; " : "",
			    call->next ? call->next : "");
	else if (status >= 500 || status == 429)
		failure_set(&cli->failure, STATUS_FAILED,
			    "%s cannot answer now (HTTP %ld: %s); try again later", call->service,
			    status, said);
	else
		failure_set(&cli->failure, STATUS_FAILED, "%s refused: %s (HTTP %ld: %s)",
			    call->service, call->what, status, said);
	cli->failure.http = status;
	return -1;
}

/* One request, with retries; *status as it came. */
static int request(struct cli *cli, const struct call *call, const char *token, const char *body,
		   long *status, cJSON **answer)
{
	struct http_request request = {.service = call->service,
				       .method = call->method,
				       .url = call->url,
				       .bearer = token,
				       .type = body ? "application/json" : NULL,
				       .body = body};
	struct http_response response;
	if (http_perform(cli->http, &request, &response, &cli->failure) < 0)
		return -1;
	*status = response.status;
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

static int judge(struct cli *cli, const struct call *call, long status, const cJSON *answer)
{
	struct demands demands = {0};
	int err = 0;
	if (status == 401 || status == 403)
		answer_demands(answer, &demands);
	if (demands.any)
		err = demanded(cli, call, &demands);
	else if (status >= 200 && status <= 299)
		err = answer ? 0 : not_json(cli, call, status);
	else
		err = answer || status == 401 || status == 403 || status == 429 || status >= 500
			      ? refused(cli, call, status, answer)
			      : not_json(cli, call, status);
	demands_finish(&demands);
	return err;
}

int call_json(struct cli *cli, const struct call *call, cJSON **answer)
{
	long status = 0;
	*answer = NULL;
	if (!cli_http(cli))
		return -1;
	char *body = call->body ? cJSON_PrintUnformatted(call->body) : NULL;
	if (call->body && !body)
		return failure_memory(&cli->failure);
	int err = with_token(cli, call, body, &status, answer);
	free(body);
	if (!err)
		err = judge(cli, call, status, *answer);
	if (err) {
		json_wipe(*answer);
		*answer = NULL;
	}
	return err;
}
