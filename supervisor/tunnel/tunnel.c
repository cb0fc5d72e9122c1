#include "supervisor/tunnel/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/reach.h"
#include "supervisor/tunnel/names.h"

/* --- what a conf asks for, checked before anything is changed --- */

#define WANTED_MAX (CONF_MAPPED_MAX + 1)

/* The places that are to lead into a tunnel: the mapped ones, and its own name last, which says
 * that all others are there. */
static size_t wanted_places(const char *id, const struct conf_view *view,
			    struct contact wanted[WANTED_MAX])
{
	size_t count = 0;
	for (; count < view->mapped_count; count++)
		wanted[count] = view->mapped[count];
	snprintf(wanted[count].host, sizeof(wanted[count].host), "globus.%s", id);
	wanted[count].port = view->fake_port ? view->fake_port : CONF_FAKE_PORT_LOW;
	return count + 1;
}

/* What one place needs beside those before it: a name that is not there yet, and a route of it. */
struct lack {
	bool name, route;
	uint32_t routes; /* of that name, with those that are wanted before */
};

static struct lack lack_of(const struct state *state, const struct contact *wanted, size_t at)
{
	uint32_t name = names_find(state, wanted[at].host);
	struct lack lack = {.name = name == NONE, .route = true};
	if (name != NONE) {
		lack.routes = state->names[name].routes;
		lack.route = names_route(&state->names[name], NULL, wanted[at].port) == NONE;
	}
	for (size_t i = 0; i < at; i++) {
		if (strcmp(wanted[i].host, wanted[at].host) != 0)
			continue;
		lack.name = false;
		lack.routes++; /* one that is there already is counted twice: that does no harm */
		if (wanted[i].port == wanted[at].port)
			lack.route = false;
	}
	return lack;
}

/* Does a place lead into another tunnel already? */
static bool is_anothers(const struct state *state, uint32_t index, const struct contact *place)
{
	uint32_t name = names_find(state, place->host);
	uint32_t route = name == NONE ? NONE : names_route(&state->names[name], NULL, place->port);
	return route != NONE && route != index;
}

static int check_names(struct state *state, uint32_t index, const char *id,
		       const struct conf_view *view)
{
	struct contact wanted[WANTED_MAX];
	size_t count = view->listener.port ? 0 : wanted_places(id, view, wanted);
	uint32_t names = 0;
	for (size_t i = 0; i < count; i++) {
		struct lack lack = lack_of(state, wanted, i);
		if (is_anothers(state, index, &wanted[i]))
			return -EDOM;
		if (lack.route && lack.routes >= MAX_ROUTES)
			return -ENOSPC;
		names += lack.name;
	}
	bool full = names && limit_reached(state, LIMIT_NAMES, state->name_count + names - 1);
	return full ? -ENOSPC : 0;
}

/* Is there room for these ports (up to the first 0 or MAX_PORTS) and that one, if it is one? */
static bool ports_fit(const struct tunnel *tunnel, uint16_t one, const uint16_t *more)
{
	struct tunnel probe = {0};
	size_t count = 0;
	if (tunnel)
		memcpy(probe.ports, tunnel->ports, sizeof(probe.ports));
	while (count < MAX_PORTS && probe.ports[count])
		count++;
	for (size_t i = 0; i <= MAX_PORTS; i++) {
		uint16_t port = i == 0 ? one : more ? more[i - 1] : 0;
		if (port == 0 && i == 0)
			continue;
		if (port == 0)
			break;
		if (tunnel_has_port(&probe, port))
			continue;
		if (count == MAX_PORTS)
			return false;
		probe.ports[count++] = port;
	}
	return true;
}

/* --- taking it: nothing in here fails any more --- */

static void add_names(struct state *state, uint32_t index, const struct conf_view *view)
{
	struct contact wanted[WANTED_MAX];
	size_t count = wanted_places(state->tunnels[index].id, view, wanted);
	for (size_t i = 0; i < count; i++)
		names_add(state, wanted[i].host, wanted[i].port, index,
			  strcmp(wanted[i].host, wanted[count - 1].host) == 0);
}

static void take_view(struct state *state, uint32_t index, const struct conf_view *view)
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
		tunnel_listen(state, index, view->listener.port);
		return;
	}
	state->initiates = true;
	union address contact;
	if (view->contact.port && address_from_contact(&contact, &view->contact) == 0)
		tunnel_set_contact(state, index, &contact);
	add_names(state, index, view);
}

/* ports: beside the view's own, as in ports_fit(). */
static int check_new(struct state *state, const char *id, const char *base,
		     const struct conf_view *view, const uint16_t *ports)
{
	if (tunnel_find(state, id, base) != NONE)
		return -EEXIST;
	if (limit_reached(state, LIMIT_TUNNELS, state->tunnel_count))
		return -ENOSPC;
	if (strlen(base) >= sizeof(state->lookups[0].base))
		return -ENAMETOOLONG;
	if (!ports_fit(NULL, view->listener.port, ports))
		return -ENOSPC;
	return check_names(state, NONE, id, view);
}

static int add(struct state *state, const char *id, const char *base, const struct conf_view *view,
	       const uint16_t *ports)
{
	int err = check_new(state, id, base, view, ports);
	if (err < 0)
		return err;
	uint32_t index = state->tunnel_count;
	memset(&state->tunnels[index], 0, sizeof(state->tunnels[index]));
	strcpy(state->tunnels[index].id, id);
	strcpy(state->lookups[index].base, base);
	state->tunnel_count++;
	take_view(state, index, view);
	return 0;
}

int tunnel_add(struct state *state, const char *id, const char *base, const struct conf_view *view)
{
	return add(state, id, base, view, NULL);
}

static int renew(struct state *state, uint32_t index, const struct conf_view *view,
		 const uint16_t *ports)
{
	const struct tunnel *tunnel = &state->tunnels[index];
	if (!ports_fit(tunnel, view->listener.port, ports))
		return -ENOSPC;
	int err = check_names(state, index, tunnel->id, view);
	if (err == 0)
		take_view(state, index, view);
	return err;
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

/* A supervisor that ended while it took the tunnel may have left out names, and the last one's
 * route. */
static bool is_whole(const struct state *state, uint32_t index)
{
	char host[CONTACT_HOST_MAX + 1];
	if (!state->tunnels[index].initiates)
		return true;
	snprintf(host, sizeof(host), "globus.%s", state->tunnels[index].id);
	uint32_t name = names_find(state, host);
	return name != NONE && names_leads(&state->names[name], index);
}

int tunnel_take(struct state *state, struct control_tunnel *message, bool again)
{
	uint8_t id[UUID_BYTES];
	message->id[UUID_TEXT] = message->base[sizeof(message->base) - 1] = '\0';
	if (uuid_parse(message->id, id) < 0 || !conf_view_whole(&message->view))
		return -EINVAL;
	/* one that is named again may have a new secret or contact */
	uint32_t tunnel = tunnel_find(state, message->id, message->base);
	int err = 0;
	if (tunnel == NONE)
		err = add(state, message->id, message->base, &message->view, message->ports);
	else if (again || !is_whole(state, tunnel))
		err = renew(state, tunnel, &message->view, message->ports);
	else if (!ports_fit(&state->tunnels[tunnel], 0, message->ports))
		err = -ENOSPC;
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

bool tunnel_any_port(const struct state *state, const struct reach *reach, uint16_t port)
{
	for (uint32_t i = 0; i < state->tunnel_count; i++)
		if (tunnel_has_port(&state->tunnels[i], port) && reach_has(reach, i))
			return true;
	return false;
}

bool tunnel_port_secured(const struct state *state, const struct reach *reach, uint16_t port)
{
	for (uint32_t i = 0; i < state->tunnel_count; i++)
		if (state->tunnels[i].secured && tunnel_has_port(&state->tunnels[i], port) &&
		    reach_has(reach, i))
			return true;
	return false;
}

uint32_t tunnel_by_key(const struct state *state, const struct reach *reach, uint16_t port,
		       const uint8_t key_id[UUID_BYTES])
{
	for (uint32_t i = 0; i < state->tunnel_count; i++) {
		const struct tunnel *tunnel = &state->tunnels[i];
		if (tunnel->secured && tunnel_has_port(tunnel, port) && reach_has(reach, i) &&
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

uint32_t tunnel_by_contact(const struct state *state, const struct reach *reach,
			   const union address *address)
{
	uint64_t key = contact_key(address);
	for (uint32_t i = 0; i < state->tunnel_count; i++)
		if (state->contact_keys[i] == key && reach_has(reach, i) &&
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
