#include "contrib/gateway/state/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const ap_names[STORE_APS] = {"Lab initiator access point",
						"Lab listener access point"};

void store_init(struct store *store)
{
	memset(store, 0, sizeof(*store));
	new_uuid(store->client.identity.id);
	new_secret(store->client.secret);
	snprintf(store->client.identity.username, sizeof(store->client.identity.username),
		 "%s@clients.auth.globus.org", store->client.identity.id);
	strcpy(store->client.identity.name, "Lab client");
	new_uuid(store->user.id);
	strcpy(store->user.username, "lab@globus-streams.example");
	strcpy(store->user.name, "Lab User");
	for (size_t i = 0; i < STORE_APS; i++) {
		new_uuid(store->access_points[i].id);
		new_uuid(store->access_points[i].endpoint);
		strcpy(store->access_points[i].display_name, ap_names[i]);
	}
	store->next_event = 1;
	store->changed = true;
}

int64_t epoch_now(void)
{
	return time(NULL);
}

const struct access_point *store_access_point(const struct store *store, const char *id)
{
	for (size_t i = 0; i < STORE_APS; i++) {
		if (strcmp(store->access_points[i].id, id) == 0)
			return &store->access_points[i];
	}
	return NULL;
}

const struct access_point *store_access_point_of_endpoint(const struct store *store,
							  const char *endpoint)
{
	for (size_t i = 0; i < STORE_APS; i++) {
		if (strcmp(store->access_points[i].endpoint, endpoint) == 0)
			return &store->access_points[i];
	}
	return NULL;
}

const struct identity *store_identity(const struct store *store, const char *id)
{
	if (strcmp(store->client.identity.id, id) == 0)
		return &store->client.identity;
	if (strcmp(store->user.id, id) == 0)
		return &store->user;
	return NULL;
}

/* --- tunnels --- */

struct tunnel *store_tunnel(const struct store *store, const char *id)
{
	for (size_t i = 0; i < store->tunnel_count; i++) {
		if (strcmp(store->tunnels[i]->id, id) == 0)
			return store->tunnels[i];
	}
	return NULL;
}

struct tunnel *store_tunnel_by_submission(const struct store *store, const char *owner,
					  const char *submission_id)
{
	for (size_t i = 0; i < store->tunnel_count; i++) {
		struct tunnel *tunnel = store->tunnels[i];

		if (strcmp(tunnel->submission_id, submission_id) == 0 &&
		    strcmp(tunnel->owner, owner) == 0)
			return tunnel;
	}
	return NULL;
}

struct tunnel *store_add_tunnel(struct store *store)
{
	struct tunnel **tunnels, *tunnel;

	if (store->tunnel_count >= STORE_TUNNELS_MAX)
		return NULL;
	tunnels = realloc(store->tunnels, (store->tunnel_count + 1) * sizeof(*tunnels));
	if (!tunnels)
		return NULL;
	store->tunnels = tunnels;
	tunnel = calloc(1, sizeof(*tunnel));
	if (!tunnel)
		return NULL;
	new_uuid(tunnel->id);
	store->tunnels[store->tunnel_count++] = tunnel;
	store->changed = true;
	return tunnel;
}

static void free_secret(struct secret *secret)
{
	wipe(secret->key, sizeof(secret->key));
	free(secret);
}

static void free_tunnel(struct tunnel *tunnel)
{
	while (tunnel->secrets) {
		struct secret *secret = tunnel->secrets;

		tunnel->secrets = secret->next;
		free_secret(secret);
	}
	while (tunnel->events) {
		struct event *event = tunnel->events;

		tunnel->events = event->next;
		free(event);
	}
	free(tunnel);
}

void store_remove_tunnel(struct store *store, struct tunnel *tunnel)
{
	size_t i = 0;

	while (store->tunnels[i] != tunnel)
		i++;
	store->tunnel_count--;
	memmove(store->tunnels + i, store->tunnels + i + 1,
		(store->tunnel_count - i) * sizeof(*store->tunnels));
	free_tunnel(tunnel);
	store->changed = true;
}

int64_t tunnel_expires(const struct tunnel *tunnel)
{
	return tunnel->created + tunnel->lifetime_mins * 60;
}

const char *tunnel_state_name(const struct tunnel *tunnel)
{
	static const char *const names[] = {[TUNNEL_AWAITING_LISTENER] = "AWAITING_LISTENER",
					    [TUNNEL_ACTIVE] = "ACTIVE",
					    [TUNNEL_STOPPED] = "STOPPED"};

	return names[tunnel->state];
}

void tunnel_add_event(struct store *store, struct tunnel *tunnel, enum event_code code,
		      int64_t time, const char *details)
{
	struct event *event = calloc(1, sizeof(*event)), **at = &tunnel->events;
	size_t count = 0;

	if (!event)
		return;
	*event = (struct event){.id = store->next_event++, .time = time, .code = code};
	snprintf(event->details, sizeof(event->details), "%s", details);
	while (*at) {
		at = &(*at)->next;
		count++;
	}
	*at = event;
	if (count >= STORE_EVENTS_MAX) {
		event = tunnel->events;
		tunnel->events = event->next;
		free(event);
	}
	store->changed = true;
}

/* The newest event, where it is that the listener failed; else NULL. */
static const struct event *last_failure(const struct tunnel *tunnel)
{
	const struct event *last = tunnel->events;

	while (last && last->next)
		last = last->next;
	return last && last->code == EVENT_LISTENER_FAILED ? last : NULL;
}

void tunnel_listener_failed(struct store *store, struct tunnel *tunnel, const char *what,
			    const char *why)
{
	const struct event *last = last_failure(tunnel);
	char details[EVENT_DETAILS];

	snprintf(details, sizeof(details), "%s: %s", what, why);
	if (!last || strcmp(last->details, details) != 0)
		tunnel_add_event(store, tunnel, EVENT_LISTENER_FAILED, epoch_now(), details);
}

void tunnel_listener_reached(struct store *store, struct tunnel *tunnel)
{
	if (last_failure(tunnel))
		tunnel_add_event(store, tunnel, EVENT_LISTENER_REACHED, epoch_now(),
				 "a connection was established");
}

/* --- LAN secrets --- */

static bool expired(const struct secret *secret)
{
	return secret->expires <= epoch_now();
}

/* Drop what expired; the number that is left. */
static size_t drop_expired(struct tunnel *tunnel)
{
	struct secret **at = &tunnel->secrets;
	size_t count = 0;

	while (*at) {
		struct secret *secret = *at;

		if (expired(secret)) {
			*at = secret->next;
			free_secret(secret);
		} else {
			at = &secret->next;
			count++;
		}
	}
	return count;
}

struct secret *tunnel_add_secret(struct store *store, struct tunnel *tunnel,
				 const char *access_point)
{
	struct secret *secret;

	if (drop_expired(tunnel) >= STORE_SECRETS_MAX)
		return NULL;
	secret = calloc(1, sizeof(*secret));
	if (!secret)
		return NULL;
	new_uuid(secret->id);
	new_secret(secret->key);
	strcpy(secret->access_point, access_point);
	secret->next = tunnel->secrets;
	tunnel->secrets = secret;
	for (int side = 0; side < SIDES; side++) {
		if (strcmp(tunnel->access_point[side], access_point) == 0)
			tunnel->secured[side] = true;
	}
	store->changed = true;
	return secret;
}

const struct secret *tunnel_newest_secret(const struct tunnel *tunnel, const char *access_point)
{
	for (const struct secret *secret = tunnel->secrets; secret; secret = secret->next) {
		if (strcmp(secret->access_point, access_point) == 0 && !expired(secret))
			return secret;
	}
	return NULL;
}

const struct secret *tunnel_secret(const struct tunnel *tunnel, const char *access_point,
				   const char *id)
{
	for (const struct secret *secret = tunnel->secrets; secret; secret = secret->next) {
		if (strcmp(secret->id, id) == 0)
			return strcmp(secret->access_point, access_point) == 0 && !expired(secret)
				       ? secret
				       : NULL;
	}
	return NULL;
}

struct secret *store_secret(const struct store *store, const char *access_point, const char *id,
			    struct tunnel **tunnel)
{
	for (size_t i = 0; i < store->tunnel_count; i++) {
		for (struct secret *secret = store->tunnels[i]->secrets; secret;
		     secret = secret->next) {
			if (strcmp(secret->id, id) == 0 &&
			    strcmp(secret->access_point, access_point) == 0) {
				*tunnel = store->tunnels[i];
				return secret;
			}
		}
	}
	return NULL;
}

void tunnel_remove_secret(struct store *store, struct tunnel *tunnel, struct secret *secret)
{
	struct secret **at = &tunnel->secrets;

	while (*at != secret)
		at = &(*at)->next;
	*at = secret->next;
	free_secret(secret);
	store->changed = true;
}

/* --- tokens --- */

/* Drop the tokens that expired, and the oldest beyond the limit. */
static void trim_tokens(struct store *store)
{
	struct token **at = &store->tokens;
	int64_t now = epoch_now();
	size_t kept = 0;

	while (*at) {
		struct token *token = *at;

		if (token->expires <= now || kept >= STORE_TOKENS_MAX) {
			*at = token->next;
			free(token);
		} else {
			at = &token->next;
			kept++;
		}
	}
}

struct token *store_add_token(struct store *store, const char *text)
{
	struct token *token = calloc(1, sizeof(*token));

	if (!token)
		return NULL;
	trim_tokens(store);
	digest_of(text, token->digest);
	token->next = store->tokens;
	store->tokens = token;
	store->changed = true;
	return token;
}

/* Found by digest: how long the search takes tells nothing about the text of a token. */
struct token *store_token(const struct store *store, const char *text, enum token_kind kind)
{
	uint8_t digest[DIGEST_BYTES];
	int64_t now = epoch_now();

	digest_of(text, digest);
	for (struct token *token = store->tokens; token; token = token->next) {
		if (same_bytes(token->digest, digest, DIGEST_BYTES))
			return token->kind == kind && token->expires > now ? token : NULL;
	}
	return NULL;
}

void store_remove_token(struct store *store, struct token *token)
{
	struct token **at = &store->tokens;

	while (*at != token)
		at = &(*at)->next;
	*at = token->next;
	free(token);
	store->changed = true;
}

void store_finish(struct store *store)
{
	for (size_t i = 0; i < store->tunnel_count; i++)
		free_tunnel(store->tunnels[i]);
	free(store->tunnels);
	while (store->tokens) {
		struct token *token = store->tokens;

		store->tokens = token->next;
		free(token);
	}
	wipe(store, sizeof(*store));
}
