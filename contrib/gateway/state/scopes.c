#include "contrib/gateway/state/scopes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void scope_of_endpoint(const char *endpoint, char scope[SCOPE_TEXT_MAX])
{
	snprintf(scope, SCOPE_TEXT_MAX, "urn:globus:auth:scope:%s:manage_collections", endpoint);
}

bool scopes_include(const char *list, const char *scope)
{
	size_t len = strlen(scope);

	while (*list) {
		size_t word = strcspn(list, " ");

		if (word == len && strncmp(list, scope, len) == 0)
			return true;
		list += word;
		list += strspn(list, " ");
	}
	return false;
}

/* The resource server of a scope; NULL: an unknown scope. */
static const char *server_of(const struct store *store, const char *scope)
{
	static const char *const of_auth[] = {
		SCOPE_OPENID, "profile", "email",
		"urn:globus:auth:scope:auth.globus.org:view_identities",
		"urn:globus:auth:scope:auth.globus.org:view_identity_set"};
	char of_endpoint[SCOPE_TEXT_MAX];

	if (strcmp(scope, SCOPE_TRANSFER) == 0)
		return SERVER_TRANSFER;
	for (size_t i = 0; i < sizeof(of_auth) / sizeof(*of_auth); i++) {
		if (strcmp(scope, of_auth[i]) == 0)
			return SERVER_AUTH;
	}
	for (size_t i = 0; i < STORE_APS; i++) {
		scope_of_endpoint(store->access_points[i].endpoint, of_endpoint);
		if (strcmp(scope, of_endpoint) == 0)
			return store->access_points[i].endpoint;
	}
	return NULL;
}

static struct scope_group *group_of(struct scope_group *groups, size_t *count, const char *server)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(groups[i].resource_server, server) == 0)
			return &groups[i];
	}
	groups[*count] = (struct scope_group){0};
	strcpy(groups[*count].resource_server, server);
	return &groups[(*count)++];
}

/* Take one scope off the text: what follows it, with the brackets of dependent scopes skipped. */
static const char *next_scope(const char *text, char scope[SCOPE_TEXT_MAX])
{
	size_t len = strcspn(text, " []"), depth = 0;

	snprintf(scope, SCOPE_TEXT_MAX, "%.*s", (int)len, text);
	for (text += len; *text && (depth > 0 || *text != ' '); text++) {
		if (*text == '[')
			depth++;
		if (*text == ']' && depth > 0)
			depth--;
	}
	return text;
}

int scopes_group(const struct store *store, const char *text,
		 struct scope_group groups[SCOPE_GROUPS_MAX], size_t *count)
{
	char scope[SCOPE_TEXT_MAX];

	*count = 0;
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		struct scope_group *group;
		const char *server;
		size_t used;

		text = next_scope(text, scope);
		server = server_of(store, scope);
		if (!server)
			return -EINVAL;
		group = group_of(groups, count, server);
		if (scopes_include(group->scope, scope))
			continue;
		used = strlen(group->scope);
		snprintf(group->scope + used, sizeof(group->scope) - used, "%s%s", used ? " " : "",
			 scope);
	}
	return *count > 0 ? 0 : -EINVAL;
}
