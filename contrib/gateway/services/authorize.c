#include <stdio.h>
#include <string.h>

#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/codes.h"
#include "contrib/gateway/services/form.h"
#include "contrib/gateway/services/handlers.h"

/* GET /v2/oauth2/authorize: who asks gets a code at once, for the gateway's one user; there is no
 * page to log in by. The code goes to a redirect address on the loopback, or is shown as text at
 * /v2/web/auth-code, to be pasted. */

#define CODE_PATH "/v2/web/auth-code"

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* http://127.0.0.1[:port][/…], the same with [::1] or localhost */
static bool is_loopback(const char *uri)
{
	static const char *const starts[] = {"http://127.0.0.1", "http://[::1]",
					     "http://localhost"};

	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		size_t len = strlen(starts[i]);

		if (strncmp(uri, starts[i], len) == 0 && strchr(":/", uri[len]))
			return true; /* the end of the string included */
	}
	return false;
}

/* Where the answer goes: to the client, or to our own page. */
static void append_parameters(const char *uri, const char *name, const char *value,
			      const char *state, char *location, size_t size)
{
	char encoded[768] = "";

	if (state && percent_encode(state, encoded, sizeof(encoded)) < 0)
		encoded[0] = '\0';
	snprintf(location, size, "%s%c%s=%s%s%s", ends_with(uri, CODE_PATH) ? CODE_PATH : uri,
		 strchr(uri, '?') ? '&' : '?', name, value, *encoded ? "&state=" : "", encoded);
}

static struct answer redirect(const struct request *request, const char *uri, const char *name,
			      const char *value)
{
	char location[REDIRECT_URI_MAX + 1024];

	append_parameters(uri, name, value, request_query(request, "state"), location,
			  sizeof(location));
	return answer_redirect(location);
}

static const char *query_or_empty(const struct request *request, const char *name)
{
	const char *value = request_query(request, name);

	return value ? value : "";
}

/* What is wrong with the request, in the words of RFC 6749 4.1.2.1; NULL: nothing. */
static const char *read_request(const struct gateway *gateway, const struct request *request,
				struct code *code)
{
	const char *challenge = query_or_empty(request, "code_challenge");

	if (strcmp(query_or_empty(request, "response_type"), "code") != 0)
		return "unsupported_response_type";
	if (strcmp(query_or_empty(request, "code_challenge_method"), "S256") != 0 ||
	    strlen(challenge) != sizeof(code->challenge) - 1)
		return "invalid_request";
	strcpy(code->challenge, challenge);
	if (scopes_group(&gateway->store, query_or_empty(request, "scope"), code->groups,
			 &code->group_count) < 0)
		return "invalid_scope";
	code->offline = strcmp(query_or_empty(request, "access_type"), "offline") == 0;
	return NULL;
}

struct answer authorize(struct gateway *gateway, const struct request *request)
{
	const char *uri = query_or_empty(request, "redirect_uri"), *wrong;
	struct code code = {0};
	char text[SECRET_TEXT + 1];

	if (uuid_canonical(query_or_empty(request, "client_id"), code.client) < 0)
		return answer_error(request, 400, "InvalidRequest", "client_id is not a UUID");
	if (strlen(uri) > REDIRECT_URI_MAX || (!ends_with(uri, CODE_PATH) && !is_loopback(uri)))
		return answer_error(request, 400, "InvalidRequest",
				    "redirect_uri is neither a loopback address nor the page that "
				    "shows the code");
	strcpy(code.redirect_uri, uri);
	wrong = read_request(gateway, request, &code);
	if (wrong)
		return redirect(request, uri, "error", wrong);
	codes_add(&code, text);
	return redirect(request, uri, "code", text);
}

struct answer show_code(struct gateway *gateway, const struct request *request)
{
	const char *code = request_query(request, "code"), *wrong = request_query(request, "error");
	char text[256];

	snprintf(text, sizeof(text), "%s\n", code ? code : wrong ? wrong : "no code");
	return answer_text(code ? 200 : 400, text);
}

struct answer userinfo(struct gateway *gateway, const struct request *request)
{
	const struct identity *identity = store_identity(&gateway->store, request->token->identity);
	cJSON *json = cJSON_CreateObject();

	if (identity) {
		cJSON_AddStringToObject(json, "sub", identity->id);
		cJSON_AddStringToObject(json, "preferred_username", identity->username);
		cJSON_AddStringToObject(json, "name", identity->name);
		cJSON_AddStringToObject(json, "email", identity->username);
		cJSON_AddStringToObject(json, "identity_provider_display_name",
					"globus-streams-gateway");
	}
	return answer_json(200, json);
}
