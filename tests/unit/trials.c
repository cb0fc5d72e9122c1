#include "tests/unit/trials.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/service/json.h"
#include "tests/unit/suite.h"

/* What commands take from the same kind of answer, and what differs between them. */
/* clang-format off */
#define TUNNEL(created, needed, ip, port, contact_needed)                                          \
	{"data.id", 'u', true},                                                                    \
	{"data.attributes.state", 't', true},                                                      \
	{"data.attributes.label", 't', false},                                                     \
	{"data.attributes.status", 't', false},                                                    \
	{"data.attributes.created_time", created, needed},                                         \
	{"data.attributes.lifetime_mins", 'i', needed},                                            \
	{"data.attributes.initiator_ip_address", ip, contact_needed},                              \
	{"data.attributes.initiator_port", port, contact_needed},                                  \
	{"data.attributes.listener_ip_address", 't', false},                                       \
	{"data.attributes.listener_port", 'p', false},                                             \
	{"data.relationships.initiator.data.id", 'u', true},                                       \
	{"data.relationships.listener.data.id", 'u', true}
#define POINT(endpoint_needed)                                                                     \
	{"data.id", 'u', true},                                                                    \
	{"data.attributes.display_name", 't', false},                                              \
	{"data.attributes.contact_email", 't', false},                                             \
	{"data.attributes.contact_info", 't', false},                                              \
	{"data.attributes.department", 't', false},                                                \
	{"data.attributes.description", 't', false},                                               \
	{"data.attributes.info_link", 't', false},                                                 \
	{"data.attributes.organization", 't', false},                                              \
	{"data.relationships.host_endpoint.data.id", 'u', endpoint_needed}
#define GRANT(server)                                                                              \
	{"access_token", 't', true},                                                               \
	{"resource_server", server, true},                                                         \
	{"expires_in", 'i', true},                                                                 \
	{"refresh_token", 't', false},                                                             \
	{"scope", 't', false},                                                                     \
	{"other_tokens", 'l', false},                                                              \
	{"other_tokens.0", 'e', false},                                                            \
	{"other_tokens.0.access_token", 't', true},                                                \
	{"other_tokens.0.resource_server", 't', true},                                             \
	{"other_tokens.0.expires_in", 'i', true},                                                  \
	{"other_tokens.0.refresh_token", 't', false},                                              \
	{"other_tokens.0.scope", 't', false}
/* clang-format on */

static const struct field tunnel_shown[] = {TUNNEL('t', false, 't', 'p', false), {0}};
static const struct field tunnel_initialized[] = {TUNNEL('w', true, 't', 'p', false), {0}};
static const struct field tunnel_called[] = {TUNNEL('t', false, 'c', 'c', true), {0}};
static const struct field point_shown[] = {POINT(false), {0}};
static const struct field point_of_tunnel[] = {POINT(true), {0}};
static const struct field grant[] = {GRANT('w'), {0}};
/* Whatever servers the tokens are for, they are kept. */
static const struct field login_grant[] = {GRANT('t'), {0}};

static const struct field tunnel_listed[] = {
	{"data", 'l', true},
	{"data.0", 'e', false},
	{"data.0.id", 'u', true},
	{"data.0.attributes.state", 't', false},
	{"data.0.attributes.label", 't', false},
	{"data.0.attributes.created_time", 't', false},
	{"links.next", 'w', false},
	{0},
};

static const struct field events[] = {
	{"data", 'l', true},
	{"data.0", 'e', false},
	{"data.0.id", 'i', true},
	{"data.0.attributes.code", 't', false},
	{"data.0.attributes.is_error", 'b', false},
	{"data.0.attributes.description", 't', false},
	{"data.0.attributes.details", 't', false},
	{"data.0.attributes.time", 't', false},
	{"links.next", 'w', false},
	{0},
};

static const struct field point_listed[] = {
	{"data", 'l', true},
	{"data.0", 'e', false},
	{"data.0.id", 'u', true},
	{"data.0.attributes.display_name", 't', false},
	{"data.0.attributes.organization", 't', false},
	{"links.next", 'w', false},
	{0},
};

static const struct field endpoint[] = {{"gcs_manager_url", 'w', true}, {0}};

static const struct field info[] = {
	{"code", 'w', true},
	{"data", 'L', true},
	{"data.0", 'e', true},
	{"data.0.DATA_TYPE", 'w', true},
	{"data.0.api_version", 't', true},
	{"data.0.endpoint_id", 'u', false},
	{"data.0.globus_streams_lan_auth", 'e', true},
	{"data.0.globus_streams_lan_auth.0", 'e', true},
	{0},
};

static const struct field lan_secret[] = {
	{"data", 'L', true},
	{"data.0", 'e', true},
	{"data.0.secret", 't', true},
	{"data.0.id", 'u', true},
	{0},
};

static const struct field user[] = {
	{"sub", 't', true},
	{"preferred_username", 't', true},
	{"name", 't', false},
	{"email", 't', false},
	{0},
};

static const struct field nothing[] = {{0}};

#define TUNNEL_PATH "/v2/tunnels/" TUNNEL_ID
#define WORDS(...)                                                                                 \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define INITIALIZE "environment", "initialize"

const struct trial trials[] = {
	{WORDS("tunnel", "show", TUNNEL_ID), "GET", TUNNEL_PATH, tunnel_shown, 0},
	{WORDS("tunnel", "create", INITIATOR_AP, LISTENER_AP), "POST", "/v2/tunnels", tunnel_shown,
	 0},
	{WORDS("tunnel", "update", "--label", "x", TUNNEL_ID), "PATCH", TUNNEL_PATH, tunnel_shown,
	 0},
	{WORDS("tunnel", "stop", TUNNEL_ID), "PATCH", TUNNEL_PATH, tunnel_shown, 0},
	{WORDS("tunnel", "delete", TUNNEL_ID), "DELETE", TUNNEL_PATH, nothing, MAY_BE_EMPTY},
	{WORDS("tunnel", "list"), "GET", "/v2/tunnels", tunnel_listed, 0},
	{WORDS("tunnel", "events", TUNNEL_ID), "GET", TUNNEL_PATH "/events", events, 0},
	{WORDS("tunnel", "list", "-Fjson"), "GET", "/v2/tunnels", tunnel_listed, 0},
	{WORDS("tunnel", "events", "-Fjson", TUNNEL_ID), "GET", "/v2/tunnels/" TUNNEL_ID "/events",
	 events, 0},
	{WORDS("access-point", "show", LISTENER_AP), "GET", "/v2/stream_access_points/",
	 point_shown, 0},
	{WORDS("access-point", "list"), "GET", "/v2/stream_access_points", point_listed, 0},
	{WORDS("access-point", "list", "-Fjson"), "GET", "/v2/stream_access_points", point_listed,
	 0},
	{WORDS(INITIALIZE, TUNNEL_ID), "GET", TUNNEL_PATH, tunnel_initialized, 0},
	{WORDS(INITIALIZE, "--force", TUNNEL_ID), "GET", TUNNEL_PATH, tunnel_initialized, CONF},
	{WORDS(INITIALIZE, TUNNEL_ID), "GET", "/v2/stream_access_points/", point_of_tunnel, 0},
	{WORDS(INITIALIZE, TUNNEL_ID), "GET", "/v0.10/endpoint/" ENDPOINT_ID, endpoint, 0},
	{WORDS(INITIALIZE, TUNNEL_ID), "GET", "/gcs/api/info", info, 0},
	{WORDS(INITIALIZE, TUNNEL_ID), "POST", "/gcs/api/lan_secrets", lan_secret, 0},
	{WORDS(INITIALIZE, "--force", TUNNEL_ID), "POST", "/gcs/api/lan_secrets", lan_secret, CONF},
	{WORDS(INITIALIZE, "--force", TUNNEL_ID), "DELETE", "/gcs/api/lan_secrets/", nothing,
	 CONF | NOT_NEEDED | MAY_BE_GONE | MAY_BE_EMPTY},
	{WORDS(INITIALIZE, "--listener-contact-string", "10.0.2.164:8888", TUNNEL_ID), "PATCH",
	 TUNNEL_PATH, tunnel_shown, 0},
	{WORDS("environment", "contact-lookup", "--refresh", TUNNEL_ID), "GET", TUNNEL_PATH,
	 tunnel_called, CONF},
	{WORDS("environment", "update", TUNNEL_ID), "GET", TUNNEL_PATH, tunnel_initialized, CONF},
	{WORDS("environment", "update", "--listener-contact-string", "10.0.2.165:8889", TUNNEL_ID),
	 "PATCH", TUNNEL_PATH, tunnel_shown, CONF | LISTENS},
	{WORDS("environment", "cleanup", "--force", TUNNEL_ID), "DELETE", "/gcs/api/lan_secrets/",
	 nothing, CONF | NOT_NEEDED | MAY_BE_GONE | MAY_BE_EMPTY},
	{WORDS("environment", "cleanup", "--force", TUNNEL_ID), "GET",
	 "/v0.10/endpoint/" ENDPOINT_ID, endpoint, CONF | NOT_NEEDED},
	{WORDS("tunnel", "show", TUNNEL_ID), "POST", "/v2/oauth2/token", grant, 0, EXPIRED_TOKENS},
	{WORDS("tunnel", "show", TUNNEL_ID), "POST", "/v2/oauth2/token", grant, 0, EXPIRED_LOGIN},
	{WORDS("login", "--no-browser"), "POST", "/v2/oauth2/token", login_grant, 0, NO_LOGIN},
	{WORDS("login", "--no-browser", "--force"), "POST", "/v2/oauth2/token", login_grant, 0,
	 LOGIN},
	{WORDS("whoami"), "GET", "/v2/oauth2/userinfo", user, 0},
	{WORDS("logout"), "POST", "/v2/oauth2/token/revoke", nothing, MAY_BE_EMPTY},
};

static_assert(COUNT(trials) == TRIALS, "the number in the header");

const struct route *trial_route(const struct trial *trial)
{
	return services_route(trial->method, trial->path);
}

static char before[1 << 16];

void trial_prepare(const struct trial *trial)
{
	static const char *const calls[] = {INITIALIZE, TUNNEL_ID, NULL};
	static const char *const listens[] = {INITIALIZE, "--listener-contact-string",
					      "10.0.2.164:8888", TUNNEL_ID, NULL};
	services_reset();
	services_folder(trial->tokens ? trial->tokens : CLIENT_TOKENS);
	if (trial->flags & CONF)
		ck_assert_int_eq(
			services_run(trial->flags & LISTENS ? listens : calls, NULL).status, 0);
	snprintf(before, sizeof(before), "%s", services_files());
	services_reset();
}

/* With -F json: one document, whose message is one line. */
static bool is_one_document(const char *text)
{
	cJSON *document = json_parse(text, strlen(text));
	const char *message = json_text(document, "globus_streams.message");
	bool good = message && *message && !strchr(message, '\n');
	cJSON_Delete(document);
	return good;
}

bool trial_is_one_line(const char *text)
{
	if (*text == '{')
		return is_one_document(text);
	const char *end = strchr(text, '\n');
	return !strncmp(text, "globus-streams: ", 16) && end && !end[1];
}

bool trial_is_unchanged(long http)
{
	const char *now = services_files(), *tokens = strstr(before, "tokens.json");
	size_t len = http == 401 && tokens ? (size_t)(tokens - before) : sizeof(before);
	return !strncmp(now, before, len);
}

static void expect_fault(const struct ended *ended, long http, const char *what)
{
	ck_assert_msg(ended->status == 1, "%s: exit %d, stdout %s, stderr %s", what, ended->status,
		      ended->out, ended->err);
	ck_assert_msg(trial_is_one_line(ended->err), "%s: %s", what, ended->err);
	ck_assert_msg(trial_is_unchanged(http), "%s changed %s", what, services_files());
}

void trial_expect_no_secret_left(const char *what)
{
	const struct route *made = services_route("POST", "/gcs/api/lan_secrets");
	const struct route *deleted = services_route("DELETE", "/gcs/api/lan_secrets/");
	ck_assert_msg(services_asked(made) <= services_asked(deleted), "%s leaves a secret", what);
}

struct ended trial_attempt(const struct trial *trial, const struct reply *reply, bool fault,
			   const char *what)
{
	const struct route *route = trial_route(trial);
	trial_prepare(trial);
	services_answer(route, reply, -1);
	struct ended ended = services_run(trial->words, "code\n");
	ck_assert_msg(services_asked(route) >= 1, "%s was not asked for", trial->path);
	if (fault && (trial->flags & NOT_NEEDED))
		ck_assert_msg(ended.status == 0 && trial_is_one_line(ended.err), "%s: exit %d, %s",
			      what, ended.status, ended.err);
	else if (fault)
		expect_fault(&ended, reply->status, what);
	else
		ck_assert_msg(ended.status == 0 && !*ended.err, "%s: exit %d, %s", what,
			      ended.status, ended.err);
	if (fault && route != services_route("POST", "/gcs/api/lan_secrets") &&
	    !(trial->flags & NOT_NEEDED))
		trial_expect_no_secret_left(what);
	return ended;
}

static cJSON *other_value(enum change change)
{
	switch (change) {
	case SET_NULL:
		return cJSON_CreateNull();
	case TEXT:
		return cJSON_CreateString("x");
	case NUMBER:
		return cJSON_CreateNumber(7);
	case TRUE:
		return cJSON_CreateTrue();
	case LIST:
		return cJSON_CreateArray();
	default:
		return cJSON_CreateObject();
	}
}

void trial_replace(cJSON *parent, cJSON *item, enum change change)
{
	if (change == REMOVE)
		cJSON_Delete(cJSON_DetachItemViaPointer(parent, item));
	else if (cJSON_IsArray(parent))
		cJSON_ReplaceItemViaPointer(parent, item, other_value(change));
	else
		cJSON_ReplaceItemInObjectCaseSensitive(parent, item->string, other_value(change));
}

static cJSON *descend(cJSON *parent, size_t *n, char *path, cJSON **owner)
{
	size_t len = strlen(path), index = 0;
	cJSON *item;
	cJSON_ArrayForEach(item, parent)
	{
		if (cJSON_IsArray(parent))
			snprintf(path + len, PATH_LEN - len, "%s%zu", len ? "." : "", index++);
		else
			snprintf(path + len, PATH_LEN - len, "%s%s", len ? "." : "", item->string);
		*owner = parent;
		if (!(*n)--)
			return item;
		cJSON *found = descend(item, n, path, owner);
		if (found)
			return found;
	}
	path[len] = '\0';
	return NULL;
}

cJSON *trial_nth(cJSON *document, size_t n, char *path, cJSON **owner)
{
	return descend(document, &n, path, owner);
}
