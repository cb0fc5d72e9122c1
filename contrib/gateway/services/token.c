#include <openssl/evp.h>
#include <string.h>

#include "contrib/gateway/base/cleanup.h"
#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/codes.h"
#include "contrib/gateway/services/form.h"
#include "contrib/gateway/services/handlers.h"

/* POST /v2/oauth2/token and …/revoke: RFC 6749 and 7009, with Globus's ways: a token is for one
 * resource server, and one answer can hold tokens for several. */

#define REFRESH_LIFETIME (180 * 24 * 3600) /* s after the last use */
#define CREDENTIALS_MAX  512

/* Who is asking for a token. */
struct client {
	uuid_text id;
	bool confidential; /* it has proved itself with the secret */
};

static struct answer error(const struct request *request, unsigned int status, const char *code,
			   const char *why)
{
	struct answer answer = answer_error(request, status, code, why);

	if (status == 401)
		answer.authenticate = "Basic realm=\"globus-streams-gateway\"";
	return answer;
}

/* --- who asks --- */

/* "Basic <base64 of id:secret>" into its halves, which are form-encoded (RFC 6749 2.3.1). */
static bool basic_credentials(const char *header, char text[CREDENTIALS_MAX], char **id,
			      char **secret)
{
	size_t len = strlen(header), padding = 0;
	int decoded;

	if (strncasecmp(header, "Basic ", 6) != 0)
		return false;
	header += 6;
	len -= 6;
	while (padding < 2 && padding < len && header[len - 1 - padding] == '=')
		padding++;
	if (len == 0 || len % 4 != 0 || len / 4 * 3 >= CREDENTIALS_MAX)
		return false;
	decoded = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)header, (int)len);
	if (decoded < (int)padding)
		return false;
	text[decoded - (int)padding] = '\0';
	*id = text;
	*secret = strchr(text, ':');
	if (!*secret)
		return false;
	*(*secret)++ = '\0';
	return percent_decode(*id, 0) == 0 && percent_decode(*secret, 0) == 0;
}

/* The client of this gateway has a secret, and has to give it; any other UUID is taken for a native
 * application, which has none. */
static bool check_client(const struct gateway *gateway, const char *id, const char *secret,
			 struct client *client)
{
	const struct store *store = &gateway->store;

	if (!id || uuid_canonical(id, client->id) < 0)
		return false;
	client->confidential = secret && strcmp(client->id, store->client.identity.id) == 0 &&
			       same_secret(secret, store->client.secret);
	return client->confidential ||
	       (!secret && strcmp(client->id, store->client.identity.id) != 0);
}

static bool identify(const struct gateway *gateway, const struct request *request,
		     const struct form *form, struct client *client)
{
	const char *header = request_header(request, "Authorization");
	char text[CREDENTIALS_MAX], *id, *secret;
	bool known;

	if (!header)
		return check_client(gateway, form_get(form, "client_id"),
				    form_get(form, "client_secret"), client);
	known = basic_credentials(header, text, &id, &secret) &&
		check_client(gateway, id, secret, client);
	wipe(text, sizeof(text));
	return known;
}

/* --- tokens --- */

/* A new token, as text; false: no memory. */
static bool issue(struct gateway *gateway, enum token_kind kind, const char *identity,
		  const char *client, const struct scope_group *group, char text[SECRET_TEXT + 1])
{
	struct token *token;

	new_secret(text);
	token = store_add_token(&gateway->store, text);
	if (!token)
		return false;
	token->kind = kind;
	token->expires = epoch_now() + (kind == TOKEN_ACCESS ? gateway->options->token_lifetime
							     : REFRESH_LIFETIME);
	strcpy(token->identity, identity);
	strcpy(token->client, client);
	strcpy(token->resource_server, group->resource_server);
	strcpy(token->scope, group->scope);
	return true;
}

/* One entry of the answer: an access token, and the refresh token where there is one. */
static cJSON *access_entry(struct gateway *gateway, const char *identity, const char *client,
			   const struct scope_group *group, const char *refresh)
{
	cJSON *json = cJSON_CreateObject();
	char text[SECRET_TEXT + 1];

	if (!issue(gateway, TOKEN_ACCESS, identity, client, group, text)) {
		cJSON_Delete(json);
		return NULL;
	}
	cJSON_AddStringToObject(json, "access_token", text);
	cJSON_AddStringToObject(json, "scope", group->scope);
	cJSON_AddNumberToObject(json, "expires_in", (double)gateway->options->token_lifetime);
	cJSON_AddStringToObject(json, "token_type", "Bearer");
	cJSON_AddStringToObject(json, "resource_server", group->resource_server);
	if (refresh)
		cJSON_AddStringToObject(json, "refresh_token", refresh);
	wipe(text, sizeof(text));
	return json;
}

static cJSON *new_entry(struct gateway *gateway, const char *identity, const char *client,
			const struct scope_group *group, bool offline)
{
	char refresh[SECRET_TEXT + 1];

	if (offline && !issue(gateway, TOKEN_REFRESH, identity, client, group, refresh))
		return NULL;
	return access_entry(gateway, identity, client, group, offline ? refresh : NULL);
}

/* The first group's token at the top, the others' in other_tokens[]. */
static struct answer grant_groups(struct gateway *gateway, const struct request *request,
				  const char *identity, const char *client,
				  const struct scope_group *groups, size_t count, bool offline)
{
	cleanup_json cJSON *json = new_entry(gateway, identity, client, &groups[0], offline);
	cJSON *others = cJSON_AddArrayToObject(json, "other_tokens"), *entry;

	for (size_t i = 1; i < count; i++) {
		entry = new_entry(gateway, identity, client, &groups[i], offline);
		if (!entry)
			return error(request, 500, "ServerError", "No memory");
		cJSON_AddItemToArray(others, entry);
	}
	if (!json)
		return error(request, 500, "ServerError", "No memory");
	return answer_json(200, steal_pointer(json));
}

/* --- grants --- */

static struct answer grant_client(struct gateway *gateway, const struct request *request,
				  const struct form *form, const struct client *client)
{
	const char *scope = form_get(form, "scope");
	struct scope_group groups[SCOPE_GROUPS_MAX];
	size_t count;

	if (!client->confidential)
		return error(request, 401, "InvalidClient", "This grant requires a client secret");
	if (scopes_group(&gateway->store, scope ? scope : SCOPE_TRANSFER, groups, &count) < 0)
		return error(request, 400, "InvalidScope", "A scope is unknown");
	return grant_groups(gateway, request, client->id, client->id, groups, count, false);
}

static struct answer grant_code(struct gateway *gateway, const struct request *request,
				const struct form *form, const struct client *client)
{
	const char *text = form_get(form, "code"), *verifier = form_get(form, "code_verifier"),
		   *redirect_uri = form_get(form, "redirect_uri");
	struct code code;

	if (!text || !verifier || !redirect_uri)
		return error(request, 400, "InvalidRequest",
			     "code, code_verifier and redirect_uri are required");
	if (!codes_take(text, &code) || strcmp(code.client, client->id) != 0 ||
	    strcmp(code.redirect_uri, redirect_uri) != 0 || !code_verify(&code, verifier))
		return error(request, 400, "InvalidGrant",
			     "The code is not valid, or was not given to this client");
	return grant_groups(gateway, request, gateway->store.user.id, client->id, code.groups,
			    code.group_count, code.offline);
}

static struct answer grant_refresh(struct gateway *gateway, const struct request *request,
				   const struct form *form, const struct client *client)
{
	const char *text = form_get(form, "refresh_token");
	struct token *token;
	struct scope_group group = {0};
	cJSON *json;

	if (!text)
		return error(request, 400, "InvalidRequest", "refresh_token is required");
	token = store_token(&gateway->store, text, TOKEN_REFRESH);
	if (!token || strcmp(token->client, client->id) != 0)
		return error(request, 400, "InvalidGrant", "The refresh token is not valid");
	token->expires = epoch_now() + REFRESH_LIFETIME;
	strcpy(group.resource_server, token->resource_server);
	strcpy(group.scope, token->scope);
	json = access_entry(gateway, token->identity, client->id, &group, text);
	if (!json)
		return error(request, 500, "ServerError", "No memory");
	cJSON_AddArrayToObject(json, "other_tokens");
	return answer_json(200, json);
}

static struct answer grant(struct gateway *gateway, const struct request *request,
			   const struct form *form)
{
	const char *type = form_get(form, "grant_type");
	struct client client;

	if (!type)
		return error(request, 400, "InvalidRequest", "grant_type is required");
	if (!identify(gateway, request, form, &client))
		return error(request, 401, "InvalidClient",
			     "The client is not known by these "
			     "credentials");
	if (strcmp(type, "client_credentials") == 0)
		return grant_client(gateway, request, form, &client);
	if (strcmp(type, "authorization_code") == 0)
		return grant_code(gateway, request, form, &client);
	if (strcmp(type, "refresh_token") == 0)
		return grant_refresh(gateway, request, form, &client);
	return error(request, 400, "UnsupportedGrantType", "This grant_type is not supported");
}

struct answer token_grant(struct gateway *gateway, const struct request *request)
{
	struct form form;
	struct answer answer;

	if (form_init(&form, request->body) == 0)
		answer = grant(gateway, request, &form);
	else
		answer = error(request, 400, "InvalidRequest", "The body is not a form");
	form_finish(&form);
	return answer;
}

/* --- revoking --- */

/* Of a refresh token, what was got by it goes with it. */
static void revoke_token(struct store *store, const char *text, const struct client *client)
{
	struct token *token = store_token(store, text, TOKEN_ACCESS), gone, *next;

	if (!token)
		token = store_token(store, text, TOKEN_REFRESH);
	if (!token || strcmp(token->client, client->id) != 0)
		return;
	gone = *token;
	store_remove_token(store, token);
	if (gone.kind != TOKEN_REFRESH)
		return;
	for (token = store->tokens; token; token = next) {
		next = token->next;
		if (token->kind == TOKEN_ACCESS && strcmp(token->client, gone.client) == 0 &&
		    strcmp(token->identity, gone.identity) == 0 &&
		    strcmp(token->resource_server, gone.resource_server) == 0)
			store_remove_token(store, token);
	}
}

struct answer token_revoke(struct gateway *gateway, const struct request *request)
{
	struct form form;
	struct client client;
	struct answer answer;
	cJSON *json;

	if (form_init(&form, request->body) < 0 || !form_get(&form, "token")) {
		answer = error(request, 400, "InvalidRequest", "token is required");
	} else if (!identify(gateway, request, &form, &client)) {
		answer = error(request, 401, "InvalidClient",
			       "The client is not known by these "
			       "credentials");
	} else {
		revoke_token(&gateway->store, form_get(&form, "token"), &client);
		json = cJSON_CreateObject();
		cJSON_AddBoolToObject(json, "active", false);
		answer = answer_json(200, json);
	}
	form_finish(&form);
	return answer;
}
