#ifndef GW_SCOPES_H
#define GW_SCOPES_H

/* Scopes, and the resource servers that they belong to. */

#include "contrib/gateway/state/store.h"

#define SCOPE_TRANSFER  "urn:globus:auth:scope:transfer.api.globus.org:all"
#define SCOPE_OPENID    "openid"
#define SERVER_AUTH     "auth.globus.org"
#define SERVER_TRANSFER "transfer.api.globus.org"

#define SCOPE_TEXT_MAX   128 /* a scope that we know, at its longest */
#define SCOPE_GROUPS_MAX (2 + STORE_APS)

/* The scopes of one resource server: what one token is for. */
struct scope_group {
	char resource_server[RESOURCE_SERVER_MAX + 1];
	char scope[SCOPE_MAX + 1];
};

/* Sort a list of scopes, separated by spaces, into groups, in the order in which they first come.
 * Of a scope with dependent ones ("scope[other]") only itself counts. 0, or -EINVAL: an unknown
 * scope, or none at all. */
int scopes_group(const struct store *store, const char *text,
		 struct scope_group groups[SCOPE_GROUPS_MAX], size_t *count);

/* The scope that lets a token manage LAN secrets at an endpoint. */
void scope_of_endpoint(const char *endpoint, char scope[SCOPE_TEXT_MAX]);

/* The scope is in that list. */
bool scopes_include(const char *list, const char *scope);

#endif
