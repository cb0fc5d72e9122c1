#include "contrib/gateway/state/store_json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/base/cleanup.h"

#define FORMAT_VERSION 1
#define ITEMS(array)   (sizeof(array) / sizeof(*(array)))

static const char *const states[] = {[TUNNEL_AWAITING_LISTENER] = "AWAITING_LISTENER",
				     [TUNNEL_ACTIVE] = "ACTIVE",
				     [TUNNEL_STOPPED] = "STOPPED"};
static const char *const codes[] = {[EVENT_STARTED] = "STARTED",
				    [EVENT_ACTIVE] = "ACTIVE",
				    [EVENT_STOPPED] = "STOPPED",
				    [EVENT_LISTENER_FAILED] = "LISTENER_FAILED",
				    [EVENT_LISTENER_REACHED] = "LISTENER_REACHED"};
static const char *const kinds[] = {[TOKEN_ACCESS] = "access", [TOKEN_REFRESH] = "refresh"};

/* --- writing --- */

static cJSON *identity_json(const struct identity *identity)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "id", identity->id);
	cJSON_AddStringToObject(json, "username", identity->username);
	cJSON_AddStringToObject(json, "name", identity->name);
	return json;
}

static cJSON *access_point_json(const struct access_point *ap)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "id", ap->id);
	cJSON_AddStringToObject(json, "endpoint", ap->endpoint);
	cJSON_AddStringToObject(json, "display_name", ap->display_name);
	return json;
}

static cJSON *secret_json(const struct secret *secret)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "id", secret->id);
	cJSON_AddStringToObject(json, "access_point", secret->access_point);
	cJSON_AddStringToObject(json, "owner", secret->owner);
	cJSON_AddStringToObject(json, "key", secret->key);
	cJSON_AddNumberToObject(json, "expires", (double)secret->expires);
	return json;
}

static cJSON *event_json(const struct event *event)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "id", (double)event->id);
	cJSON_AddNumberToObject(json, "time", (double)event->time);
	cJSON_AddStringToObject(json, "code", codes[event->code]);
	cJSON_AddStringToObject(json, "details", event->details);
	return json;
}

static cJSON *tunnel_json(const struct tunnel *tunnel)
{
	cJSON *json = cJSON_CreateObject(), *list;

	cJSON_AddStringToObject(json, "id", tunnel->id);
	cJSON_AddStringToObject(json, "submission_id", tunnel->submission_id);
	cJSON_AddStringToObject(json, "owner", tunnel->owner);
	if (tunnel->labelled)
		cJSON_AddStringToObject(json, "label", tunnel->label);
	cJSON_AddBoolToObject(json, "restartable", tunnel->restartable);
	cJSON_AddNumberToObject(json, "created", (double)tunnel->created);
	cJSON_AddNumberToObject(json, "lifetime_mins", (double)tunnel->lifetime_mins);
	cJSON_AddStringToObject(json, "initiator", tunnel->access_point[SIDE_INITIATOR]);
	cJSON_AddStringToObject(json, "listener", tunnel->access_point[SIDE_LISTENER]);
	cJSON_AddStringToObject(json, "state", states[tunnel->state]);
	cJSON_AddStringToObject(json, "listener_host", tunnel->listener.host);
	cJSON_AddNumberToObject(json, "listener_port", tunnel->listener.port);
	cJSON_AddNumberToObject(json, "initiator_port", tunnel->initiator_port);
	cJSON_AddBoolToObject(json, "initiator_secured", tunnel->secured[SIDE_INITIATOR]);
	cJSON_AddBoolToObject(json, "listener_secured", tunnel->secured[SIDE_LISTENER]);
	list = cJSON_AddArrayToObject(json, "secrets");
	for (const struct secret *secret = tunnel->secrets; secret; secret = secret->next)
		cJSON_AddItemToArray(list, secret_json(secret));
	list = cJSON_AddArrayToObject(json, "events");
	for (const struct event *event = tunnel->events; event; event = event->next)
		cJSON_AddItemToArray(list, event_json(event));
	return json;
}

static cJSON *token_json(const struct token *token)
{
	cJSON *json = cJSON_CreateObject();
	char digest[2 * DIGEST_BYTES + 1];

	hex_encode(token->digest, DIGEST_BYTES, digest);
	cJSON_AddStringToObject(json, "digest", digest);
	cJSON_AddStringToObject(json, "kind", kinds[token->kind]);
	cJSON_AddStringToObject(json, "identity", token->identity);
	cJSON_AddStringToObject(json, "client", token->client);
	cJSON_AddStringToObject(json, "resource_server", token->resource_server);
	cJSON_AddStringToObject(json, "scope", token->scope);
	cJSON_AddNumberToObject(json, "expires", (double)token->expires);
	return json;
}

char *store_format(const struct store *store)
{
	cleanup_json cJSON *json = cJSON_CreateObject();
	cJSON *list;

	cJSON_AddNumberToObject(json, "version", FORMAT_VERSION);
	cJSON_AddNumberToObject(json, "http_port", store->http_port);
	cJSON_AddItemToObject(json, "client", identity_json(&store->client.identity));
	cJSON_AddStringToObject(json, "client_secret", store->client.secret);
	cJSON_AddItemToObject(json, "user", identity_json(&store->user));
	cJSON_AddNumberToObject(json, "next_event", (double)store->next_event);
	list = cJSON_AddArrayToObject(json, "access_points");
	for (size_t i = 0; i < STORE_APS; i++)
		cJSON_AddItemToArray(list, access_point_json(&store->access_points[i]));
	list = cJSON_AddArrayToObject(json, "tunnels");
	for (size_t i = 0; i < store->tunnel_count; i++)
		cJSON_AddItemToArray(list, tunnel_json(store->tunnels[i]));
	list = cJSON_AddArrayToObject(json, "tokens");
	for (const struct token *token = store->tokens; token; token = token->next)
		cJSON_AddItemToArray(list, token_json(token));
	return cJSON_Print(json);
}

void store_free_text(char *text)
{
	if (!text)
		return;
	wipe(text, strlen(text));
	cJSON_free(text);
}

/* --- reading --- */

static bool read_text(const cJSON *json, const char *key, char *text, size_t size)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));

	if (!value || strlen(value) >= size)
		return false;
	strcpy(text, value);
	return true;
}

static bool read_id(const cJSON *json, const char *key, uuid_text id)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));

	return value && uuid_canonical(value, id) == 0;
}

static bool read_number(const cJSON *json, const char *key, int64_t min, int64_t max,
			int64_t *number)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	if (!cJSON_IsNumber(item) || !(item->valuedouble >= (double)min) ||
	    item->valuedouble > (double)max)
		return false;
	*number = (int64_t)item->valuedouble;
	return true;
}

static bool read_time(const cJSON *json, const char *key, int64_t *time)
{
	return read_number(json, key, 0, (int64_t)1 << 50, time);
}

static bool read_port(const cJSON *json, const char *key, uint16_t *port)
{
	int64_t number;

	if (!read_number(json, key, 0, UINT16_MAX, &number))
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool read_bool(const cJSON *json, const char *key, bool *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

	*value = cJSON_IsTrue(item);
	return cJSON_IsBool(item);
}

/* One of a list of words, as its place in the list. */
static bool read_word(const cJSON *json, const char *key, const char *const *words, size_t count,
		      unsigned int *place)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));

	for (*place = 0; value && *place < count; ++*place) {
		if (strcmp(words[*place], value) == 0)
			return true;
	}
	return false;
}

static bool read_identity(const cJSON *parent, const char *key, struct identity *identity)
{
	const cJSON *json = cJSON_GetObjectItemCaseSensitive(parent, key);

	return read_id(json, "id", identity->id) &&
	       read_text(json, "username", identity->username, sizeof(identity->username)) &&
	       read_text(json, "name", identity->name, sizeof(identity->name));
}

static bool read_access_points(const cJSON *parent, struct store *store)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(parent, "access_points"), *json;
	size_t count = 0;

	cJSON_ArrayForEach(json, list)
	{
		struct access_point *ap = &store->access_points[count++];

		if (count > STORE_APS || !read_id(json, "id", ap->id) ||
		    !read_id(json, "endpoint", ap->endpoint) ||
		    !read_text(json, "display_name", ap->display_name, sizeof(ap->display_name)))
			return false;
	}
	return count == STORE_APS;
}

static bool read_secrets(const cJSON *parent, struct tunnel *tunnel)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(parent, "secrets"), *json;
	struct secret **last = &tunnel->secrets;

	cJSON_ArrayForEach(json, list)
	{
		struct secret *secret = calloc(1, sizeof(*secret));

		if (!secret)
			return false;
		*last = secret;
		last = &secret->next;
		if (!read_id(json, "id", secret->id) ||
		    !read_id(json, "access_point", secret->access_point) ||
		    !read_id(json, "owner", secret->owner) ||
		    !read_text(json, "key", secret->key, sizeof(secret->key)) ||
		    !read_time(json, "expires", &secret->expires))
			return false;
	}
	return cJSON_IsArray(list);
}

static bool read_events(const cJSON *parent, struct tunnel *tunnel)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(parent, "events"), *json;
	struct event **last = &tunnel->events;

	cJSON_ArrayForEach(json, list)
	{
		struct event *event = calloc(1, sizeof(*event));
		unsigned int code;

		if (!event)
			return false;
		*last = event;
		last = &event->next;
		if (!read_time(json, "id", &event->id) || !read_time(json, "time", &event->time) ||
		    !read_word(json, "code", codes, ITEMS(codes), &code) ||
		    !read_text(json, "details", event->details, sizeof(event->details)))
			return false;
		event->code = code;
	}
	return cJSON_IsArray(list);
}

static bool read_tunnel(const cJSON *json, struct tunnel *tunnel)
{
	unsigned int state;

	tunnel->labelled = read_text(json, "label", tunnel->label, sizeof(tunnel->label));
	if (!read_id(json, "id", tunnel->id) ||
	    !read_id(json, "submission_id", tunnel->submission_id) ||
	    !read_id(json, "owner", tunnel->owner) ||
	    !read_bool(json, "restartable", &tunnel->restartable) ||
	    !read_time(json, "created", &tunnel->created) ||
	    !read_time(json, "lifetime_mins", &tunnel->lifetime_mins) ||
	    !read_id(json, "initiator", tunnel->access_point[SIDE_INITIATOR]) ||
	    !read_id(json, "listener", tunnel->access_point[SIDE_LISTENER]) ||
	    !read_word(json, "state", states, ITEMS(states), &state) ||
	    !read_text(json, "listener_host", tunnel->listener.host,
		       sizeof(tunnel->listener.host)) ||
	    !read_port(json, "listener_port", &tunnel->listener.port) ||
	    !read_port(json, "initiator_port", &tunnel->initiator_port) ||
	    !read_bool(json, "initiator_secured", &tunnel->secured[SIDE_INITIATOR]) ||
	    !read_bool(json, "listener_secured", &tunnel->secured[SIDE_LISTENER]))
		return false;
	tunnel->state = state;
	return read_secrets(json, tunnel) && read_events(json, tunnel);
}

static bool read_tunnels(const cJSON *parent, struct store *store)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(parent, "tunnels"), *json;

	cJSON_ArrayForEach(json, list)
	{
		struct tunnel *tunnel = store_add_tunnel(store);

		if (!tunnel || !read_tunnel(json, tunnel))
			return false;
	}
	return cJSON_IsArray(list);
}

static bool read_token(const cJSON *json, struct token *token)
{
	char digest[2 * DIGEST_BYTES + 1];
	unsigned int kind;

	if (!read_text(json, "digest", digest, sizeof(digest)) ||
	    hex_decode(digest, token->digest, DIGEST_BYTES) < 0 ||
	    !read_word(json, "kind", kinds, ITEMS(kinds), &kind) ||
	    !read_id(json, "identity", token->identity) ||
	    !read_id(json, "client", token->client) ||
	    !read_text(json, "resource_server", token->resource_server,
		       sizeof(token->resource_server)) ||
	    !read_text(json, "scope", token->scope, sizeof(token->scope)) ||
	    !read_time(json, "expires", &token->expires))
		return false;
	token->kind = kind;
	return true;
}

static bool read_tokens(const cJSON *parent, struct store *store)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(parent, "tokens"), *json;
	struct token **last = &store->tokens;

	cJSON_ArrayForEach(json, list)
	{
		struct token *token = calloc(1, sizeof(*token));

		if (!token)
			return false;
		*last = token;
		last = &token->next;
		if (!read_token(json, token))
			return false;
	}
	return cJSON_IsArray(list);
}

int store_parse(struct store *store, const char *text)
{
	cleanup_json cJSON *json = cJSON_Parse(text);
	int64_t version;

	if (!read_number(json, "version", FORMAT_VERSION, FORMAT_VERSION, &version) ||
	    !read_port(json, "http_port", &store->http_port) ||
	    !read_identity(json, "client", &store->client.identity) ||
	    !read_text(json, "client_secret", store->client.secret, sizeof(store->client.secret)) ||
	    !read_identity(json, "user", &store->user) ||
	    !read_time(json, "next_event", &store->next_event) ||
	    !read_access_points(json, store) || !read_tunnels(json, store) ||
	    !read_tokens(json, store))
		return -EINVAL;
	return 0;
}
