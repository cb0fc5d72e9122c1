#include "supervisor/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/address.h"
#include "supervisor/limit.h"
#include "supervisor/names.h"

static int add_names(struct state *state, uint32_t index, const struct conf_view *view)
{
	char host[CONTACT_HOST_MAX + 1];
	snprintf(host, sizeof(host), "globus.%s", state->tunnels[index].id);
	uint16_t port = view->fake_port ? view->fake_port : CONF_FAKE_PORT_LOW;
	int err = names_add(state, host, port, index, true);
	for (size_t i = 0; err == 0 && i < view->mapped_count; i++)
		err = names_add(state, view->mapped[i].host, view->mapped[i].port, index, false);
	return err;
}

/* Do the mapped names lead nowhere yet, or into this tunnel? */
static bool names_free(const struct state *state, uint32_t index, const struct conf_view *view)
{
	for (size_t i = 0; i < view->mapped_count; i++) {
		uint32_t name = names_find(state, view->mapped[i].host);
		uint32_t route = name == NONE
					 ? NONE
					 : names_route(&state->names[name], view->mapped[i].port);
		if (route != NONE && route != index)
			return false;
	}
	return true;
}

static int take_view(struct state *state, uint32_t index, const struct conf_view *view)
{
	struct tunnel *tunnel = &state->tunnels[index];
	tunnel->secured = view->secured;
	tunnel->initiates = view->listener.port == 0;
	memcpy(tunnel->key, view->key, sizeof(tunnel->key));
	memcpy(tunnel->key_id, view->key_id, sizeof(tunnel->key_id));
	tunnel->key_len = view->key_len;
	if (view->listener.port) {
		snprintf(tunnel->listener_host, sizeof(tunnel->listener_host), "%s",
			 view->listener.host);
		return tunnel_listen(state, index, view->listener.port);
	}
	state->initiates = true;
	union address contact;
	if (view->contact.port && address_from_contact(&contact, &view->contact) == 0)
		tunnel_set_contact(state, index, &contact);
	return add_names(state, index, view);
}

int tunnel_add(struct state *state, const char *id, const char *base, const struct conf_view *view)
{
	if (tunnel_find(state, id, base) != NONE)
		return -EEXIST;
	if (limit_reached(state, LIMIT_TUNNELS, state->tunnel_count))
		return -ENOSPC;
	if (strlen(base) >= sizeof(state->lookups[0].base))
		return -ENAMETOOLONG;
	if (!names_free(state, NONE, view))
		return -EDOM;
	uint32_t index = state->tunnel_count++;
	strcpy(state->tunnels[index].id, id);
	strcpy(state->lookups[index].base, base);
	return take_view(state, index, view);
}

int tunnel_renew(struct state *state, uint32_t index, const struct conf_view *view)
{
	return names_free(state, index, view) ? take_view(state, index, view) : -EDOM;
}

static struct contact contact_of(const struct name *name, uint16_t port)
{
	struct contact contact = {.port = port};
	snprintf(contact.host, sizeof(contact.host), "%s", name->host);
	return contact;
}

static void view_names(const struct state *state, uint32_t index, struct conf_view *view)
{
	for (uint32_t i = 0; i < state->name_count; i++) {
		const struct name *name = &state->names[i];
		for (uint32_t r = 0; r < name->routes; r++) {
			if (name->tunnel[r] != index)
				continue;
			if (name->is_globus)
				view->fake_port = name->port[r];
			else if (view->mapped_count < CONF_MAPPED_MAX)
				view->mapped[view->mapped_count++] =
					contact_of(name, name->port[r]);
		}
	}
}

void tunnel_view(const struct state *state, uint32_t index, struct conf_view *view)
{
	const struct tunnel *tunnel = &state->tunnels[index];
	char text[ADDRESS_TEXT];
	*view = (struct conf_view){.secured = tunnel->secured, .key_len = tunnel->key_len};
	memcpy(view->key, tunnel->key, sizeof(view->key));
	memcpy(view->key_id, tunnel->key_id, sizeof(view->key_id));
	if (!tunnel->initiates) {
		snprintf(view->listener.host, sizeof(view->listener.host), "%s",
			 tunnel->listener_host);
		view->listener.port = tunnel->ports[0];
	}
	if (tunnel->contact.sa.sa_family) {
		address_format(&tunnel->contact, text);
		contact_parse(text, &view->contact);
	}
	view_names(state, index, view);
}

int tunnel_take(struct state *state, struct control_tunnel *message, bool renew)
{
	uint8_t id[UUID_BYTES];
	message->id[UUID_TEXT] = message->base[sizeof(message->base) - 1] = '\0';
	if (uuid_parse(message->id, id) < 0 || !conf_view_whole(&message->view))
		return -EINVAL;
	/* one that is named again may have a new secret or contact */
	uint32_t tunnel = tunnel_find(state, message->id, message->base);
	int err = 0;
	if (tunnel == NONE)
		err = tunnel_add(state, message->id, message->base, &message->view);
	else if (renew)
		err = tunnel_renew(state, tunnel, &message->view);
	tunnel = tunnel_find(state, message->id, message->base);
	for (size_t i = 0; err == 0 && i < MAX_PORTS && message->ports[i]; i++)
		err = tunnel_listen(state, tunnel, message->ports[i]);
	return err;
}

uint32_t tunnel_find(const struct state *state, const char *id, const char *base)
{
	for (uint32_t i = 0; i < state->tunnel_count; i++)
		if (strcmp(state->tunnels[i].id, id) == 0 &&
		    strcmp(state->lookups[i].base, base) == 0)
			return i;
	return NONE;
}

int tunnel_listen(struct state *state, uint32_t index, uint16_t port)
{
	struct tunnel *tunnel = &state->tunnels[index];
	for (size_t i = 0; i < MAX_PORTS; i++) {
		if (tunnel->ports[i] != 0 && tunnel->ports[i] != port)
			continue;
		tunnel->ports[i] = port;
		state->listens = true;
		return 0;
	}
	return -ENOSPC;
}

bool tunnel_has_port(const struct tunnel *tunnel, uint16_t port)
{
	for (size_t i = 0; i < MAX_PORTS && tunnel->ports[i]; i++)
		if (tunnel->ports[i] == port)
			return true;
	return false;
}

bool tunnel_any_port(const struct state *state, uint16_t port)
{
	for (uint32_t i = 0; i < state->tunnel_count; i++)
		if (tunnel_has_port(&state->tunnels[i], port))
			return true;
	return false;
}

bool tunnel_port_secured(const struct state *state, uint16_t port)
{
	for (uint32_t i = 0; i < state->tunnel_count; i++)
		if (state->tunnels[i].secured && tunnel_has_port(&state->tunnels[i], port))
			return true;
	return false;
}

uint32_t tunnel_by_key(const struct state *state, uint16_t port, const uint8_t key_id[UUID_BYTES])
{
	for (uint32_t i = 0; i < state->tunnel_count; i++) {
		const struct tunnel *tunnel = &state->tunnels[i];
		if (tunnel->secured && tunnel_has_port(tunnel, port) &&
		    memcmp(tunnel->key_id, key_id, UUID_BYTES) == 0)
			return i;
	}
	return NONE;
}

/* A number that tells contacts apart well enough to search an array of them; never 0. */
static uint64_t contact_key(const union address *address)
{
	uint64_t key = 14695981039346656037ull; /* FNV-1a */
	const uint8_t *bytes = (const uint8_t *)address;
	for (socklen_t i = 0; i < address_len(address); i++)
		key = (key ^ bytes[i]) * 1099511628211ull;
	return key | 1;
}

uint32_t tunnel_by_contact(const struct state *state, const union address *address)
{
	uint64_t key = contact_key(address);
	for (uint32_t i = 0; i < state->tunnel_count; i++)
		if (state->contact_keys[i] == key &&
		    address_same(&state->tunnels[i].contact, address))
			return i;
	return NONE;
}

void tunnel_set_contact(struct state *state, uint32_t index, const union address *contact)
{
	struct tunnel *tunnel = &state->tunnels[index];
	tunnel->contact = *contact;
	tunnel->slow = false;
	state->contact_keys[index] = contact->sa.sa_family ? contact_key(contact) : 0;
}
