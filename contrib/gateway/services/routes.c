#include "contrib/gateway/services/routes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/body.h"
#include "contrib/gateway/services/handlers.h"
#include "contrib/gateway/state/scopes.h"

/* The scope that the token of a request has to carry. */
enum needed { NOTHING, OPENID, TRANSFER, ENDPOINT };

/* Each {…} in a path is a UUID. */
static const struct route {
	const char *method, *path;
	enum service service;
	enum needed needed;
	handler *handle;
} routes[] = {
	{"POST", "/v2/oauth2/token", SERVICE_AUTH, NOTHING, token_grant},
	{"POST", "/v2/oauth2/token/revoke", SERVICE_AUTH, NOTHING, token_revoke},
	{"GET", "/v2/oauth2/authorize", SERVICE_AUTH, NOTHING, authorize},
	{"GET", "/v2/web/auth-code", SERVICE_AUTH, NOTHING, show_code},
	{"GET", "/v2/oauth2/userinfo", SERVICE_AUTH, OPENID, userinfo},
	{"POST", "/v2/oauth2/userinfo", SERVICE_AUTH, OPENID, userinfo},
	{"GET", "/v2/tunnels", SERVICE_TRANSFER_V2, TRANSFER, tunnels_list},
	{"POST", "/v2/tunnels", SERVICE_TRANSFER_V2, TRANSFER, tunnels_create},
	{"GET", "/v2/tunnels/{tunnel_uuid}", SERVICE_TRANSFER_V2, TRANSFER, tunnels_show},
	{"PATCH", "/v2/tunnels/{tunnel_uuid}", SERVICE_TRANSFER_V2, TRANSFER, tunnels_update},
	{"DELETE", "/v2/tunnels/{tunnel_uuid}", SERVICE_TRANSFER_V2, TRANSFER, tunnels_delete},
	{"GET", "/v2/tunnels/{tunnel_uuid}/events", SERVICE_TRANSFER_V2, TRANSFER, tunnels_events},
	{"GET", "/v2/stream_access_points", SERVICE_TRANSFER_V2, TRANSFER, access_points_list},
	{"GET", "/v2/stream_access_points/{stream_access_point_uuid}", SERVICE_TRANSFER_V2,
	 TRANSFER, access_points_show},
	{"GET", "/v0.10/endpoint/{endpoint_id}", SERVICE_TRANSFER_V010, TRANSFER, endpoint_show},
	{"GET", "/gcs/{endpoint_id}/api/info", SERVICE_GCS, NOTHING, manager_info},
	{"GET", "/gcs/{endpoint_id}/api/stream_gateways", SERVICE_GCS, ENDPOINT,
	 stream_gateways_list},
	{"POST", "/gcs/{endpoint_id}/api/lan_secrets", SERVICE_GCS, ENDPOINT, lan_secrets_create},
	{"DELETE", "/gcs/{endpoint_id}/api/lan_secrets/{id}", SERVICE_GCS, ENDPOINT,
	 lan_secrets_delete},
};

/* --- paths --- */

struct match {
	const char *part[REQUEST_PARTS], *name[REQUEST_PARTS]; /* where each {name} stands */
	size_t len[REQUEST_PARTS], name_len[REQUEST_PARTS];
	size_t count;
};

static bool matches(const char *pattern, const char *path, struct match *match)
{
	match->count = 0;
	while (*pattern) {
		size_t i = match->count;

		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		match->name[i] = pattern + 1;
		match->name_len[i] = strcspn(pattern, "}") - 1;
		match->part[i] = path;
		match->len[i] = strcspn(path, "/");
		if (match->len[i] == 0)
			return false;
		pattern += match->name_len[i] + 2;
		path += match->len[i];
		match->count++;
	}
	return *path == '\0';
}

/* A path that no route has: whose it would be. */
static enum service service_of(const char *path)
{
	if (strncmp(path, "/v2/oauth2/", 11) == 0)
		return SERVICE_AUTH;
	if (strncmp(path, "/gcs/", 5) == 0)
		return SERVICE_GCS;
	if (strncmp(path, "/v0.10/", 7) == 0)
		return SERVICE_TRANSFER_V010;
	return SERVICE_TRANSFER_V2;
}

static const struct route *find_route(const struct request *request, struct match *match,
				      bool *path_known)
{
	*path_known = false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		if (!matches(routes[i].path, request->path, match))
			continue;
		*path_known = true;
		if (strcmp(routes[i].method, request->method) == 0)
			return &routes[i];
	}
	return NULL;
}

/* The UUIDs of the path: the place of the first that is none, -1 when all are good. */
static int read_parts(struct request *request, const struct match *match)
{
	char text[UUID_TEXT + 2];

	for (size_t i = 0; i < match->count; i++) {
		snprintf(text, sizeof(text), "%.*s", (int)match->len[i], match->part[i]);
		if (uuid_canonical(text, request->parts[i]) < 0)
			return (int)i;
	}
	return -1;
}

static struct answer bad_part(const struct request *request, const struct match *match, int i)
{
	char name[32];

	if (request->service != SERVICE_TRANSFER_V2)
		return answer_error(request, 404, "NotFound", "Nothing has this id");
	snprintf(name, sizeof(name), "%.*s", (int)match->name_len[i], match->name[i]);
	return body_answer_elsewhere("path", name, "uuid_parsing", "Input should be a valid UUID");
}

/* --- tokens --- */

static const struct token *bearer(const struct gateway *gateway, const struct request *request)
{
	const char *header = request_header(request, "Authorization");

	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return NULL;
	return store_token(&gateway->store, header + 7, TOKEN_ACCESS);
}

static void needed_scope(const struct request *request, enum needed needed,
			 char scope[SCOPE_TEXT_MAX])
{
	if (needed == ENDPOINT)
		scope_of_endpoint(request->parts[0], scope);
	else
		strcpy(scope, needed == OPENID ? SCOPE_OPENID : SCOPE_TRANSFER);
}

static struct answer handle(struct gateway *gateway, struct request *request,
			    const struct route *route, const struct match *match)
{
	char scope[SCOPE_TEXT_MAX];
	int bad;

	request->token = route->needed == NOTHING ? NULL : bearer(gateway, request);
	if (route->needed != NOTHING && !request->token)
		return answer_error(request, 401, "AuthenticationFailed",
				    "The token is missing, not valid, or expired");
	bad = read_parts(request, match);
	if (bad >= 0)
		return bad_part(request, match, bad);
	if (route->needed == NOTHING)
		return route->handle(gateway, request);
	if (route->needed == ENDPOINT &&
	    !store_access_point_of_endpoint(&gateway->store, request->parts[0]))
		return answer_error(request, 404, "NotFound", "There is no such endpoint");
	needed_scope(request, route->needed, scope);
	if (!scopes_include(request->token->scope, scope))
		return answer_scope_missing(request, scope);
	return route->handle(gateway, request);
}

struct answer routes_dispatch(struct gateway *gateway, struct request *request)
{
	struct match match;
	bool path_known;
	const struct route *route = find_route(request, &match, &path_known);

	request->service = route ? route->service : service_of(request->path);
	if (!route && path_known)
		return answer_error(request, 405, "MethodNotAllowed",
				    "This path does not support this method");
	if (!route)
		return answer_error(request, 404, "NotFound", "There is no such path");
	return handle(gateway, request, route, &match);
}
