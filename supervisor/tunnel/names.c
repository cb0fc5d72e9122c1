#include "supervisor/tunnel/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/address.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/reach.h"

static const uint8_t range6[8] = {0xfd, 0x47, 0x53, 0x47, 0x4c, 0x53, 0, 0};
#define RANGE4 0xc6120000u /* 198.18.0.0 */

static uint32_t number_of(const char *host)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (; *host; host++)
		hash = (hash ^ (uint8_t)*host) * 16777619u;
	return (hash ^ hash >> 17) % VIRTUAL_ADDRESSES;
}

/* Where the name stands, or would stand. Numbers that end in 0 or 255 are not given: some programs
 * take them for network and broadcast addresses. */
static uint32_t probe(const struct state *state, const char *host)
{
	uint32_t number = number_of(host);
	for (;; number = (number + 1) % VIRTUAL_ADDRESSES) {
		if ((number & 0xff) == 0 || (number & 0xff) == 0xff)
			continue;
		uint16_t at = state->name_at[number];
		if (at == 0 || strcmp(state->names[at - 1].host, host) == 0)
			return number;
	}
}

uint32_t names_find(const struct state *state, const char *text)
{
	char host[CONTACT_HOST_MAX + 1];
	if (contact_host(text, host) < 0)
		return NONE;
	uint16_t at = state->name_at[probe(state, host)];
	return at ? at - 1u : NONE;
}

bool names_is_number(const struct name *name)
{
	union address number;
	struct contact contact = {.port = 1};
	strcpy(contact.host, name->host);
	return address_from_contact(&number, &contact) == 0;
}

static int name_make(struct state *state, const char *host, bool is_globus, uint32_t *index)
{
	if (limit_reached(state, LIMIT_NAMES, state->name_count))
		return -ENOSPC;
	struct name *name = &state->names[state->name_count];
	snprintf(name->host, sizeof(name->host), "%s", host);
	name->is_globus = is_globus;
	bool is_number = names_is_number(name);
	state->numeric_names |= is_number;
	if (!is_number && !is_globus) {
		state->mapped_names = true;
		state->real_round = 0;
	}
	name->number = probe(state, host);
	*index = state->name_count++;
	state->name_at[name->number] = (uint16_t)(*index + 1);
	return 0;
}

int names_add(struct state *state, const char *host, uint16_t port, uint32_t tunnel, bool is_globus)
{
	uint32_t index = names_find(state, host);
	if (index == NONE) {
		int err = name_make(state, host, is_globus, &index);
		if (err < 0)
			return err;
	}
	struct name *name = &state->names[index];
	uint32_t route = names_route(name, NULL, port);
	if (route != NONE)
		return route == tunnel ? 0 : -EDOM;
	if (name->routes == MAX_ROUTES)
		return -ENOSPC;
	name->port[name->routes] = port;
	name->tunnel[name->routes++] = tunnel;
	return 0;
}

uint32_t names_route(const struct name *name, const struct reach *reach, uint16_t port)
{
	for (uint32_t i = 0; i < name->routes; i++)
		if (name->port[i] == port && reach_has(reach, name->tunnel[i]))
			return name->tunnel[i];
	return NONE;
}

bool names_leads(const struct name *name, uint32_t tunnel)
{
	for (uint32_t i = 0; i < name->routes; i++)
		if (name->tunnel[i] == tunnel)
			return true;
	return false;
}

/* Does any port of it lead where the program may go? By the keeper, too: see below. */
static bool is_within(const struct name *name, const struct reach *reach)
{
	if (!reach) /* it may have no route yet, and is ours all the same */
		return true;
	for (uint32_t i = 0; i < name->routes && i < MAX_ROUTES; i++)
		if (reach_has(reach, name->tunnel[i]))
			return true;
	return false;
}

/* The number of a virtual address; VIRTUAL_ADDRESSES or more: it is none. */
static uint32_t number_at(const union address *address)
{
	if (address->sa.sa_family == AF_INET)
		return ntohl(address->in.sin_addr.s_addr) - RANGE4;
	const uint8_t *bytes = address->in6.sin6_addr.s6_addr;
	if (memcmp(bytes, range6, sizeof(range6)) != 0)
		return UINT32_MAX;
	uint64_t low;
	memcpy(&low, bytes + 8, sizeof(low));
	low = be64toh(low);
	return low < VIRTUAL_ADDRESSES ? (uint32_t)low : UINT32_MAX;
}

bool names_is_virtual(const union address *address)
{
	return number_at(address) < VIRTUAL_ADDRESSES;
}

uint32_t names_by_address(const struct state *state, const struct reach *reach,
			  const union address *address)
{
	uint32_t number = number_at(address);
	if (number >= VIRTUAL_ADDRESSES || state->name_at[number] == 0)
		return NONE;
	uint32_t name = state->name_at[number] - 1u;
	return is_within(&state->names[name], reach) ? name : NONE;
}

uint32_t names_by_number(const struct state *state, const struct reach *reach,
			 const union address *address, uint32_t *name)
{
	char host[INET6_ADDRSTRLEN];
	bool v4 = address->sa.sa_family == AF_INET;
	if (!state->numeric_names ||
	    !inet_ntop(address->sa.sa_family,
		       v4 ? (void *)&address->in.sin_addr : (void *)&address->in6.sin6_addr, host,
		       sizeof(host)))
		return NONE;
	uint32_t found = names_find(state, host);
	uint32_t tunnel = found == NONE
				  ? NONE
				  : names_route(&state->names[found], reach, address_port(address));
	if (tunnel != NONE)
		*name = found;
	return tunnel;
}

static union address virtual_address(uint32_t number, int family)
{
	union address address = {0};
	address.sa.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		address.in.sin_addr.s_addr = htonl(RANGE4 + number);
	} else {
		uint64_t low = htobe64(number);
		memcpy(address.in6.sin6_addr.s6_addr, range6, sizeof(range6));
		memcpy(address.in6.sin6_addr.s6_addr + 8, &low, sizeof(low));
	}
	return address;
}

union address names_address(const struct state *state, uint32_t index)
{
	const struct name *name = &state->names[index];
	const struct tunnel *tunnel = &state->tunnels[name->tunnel[0] % MAX_TUNNELS];
	int family = tunnel->contact.sa.sa_family == AF_INET6 ? AF_INET6 : AF_INET;
	return virtual_address(name->number, family);
}

static void answer_resolve(const struct state *state, const struct reach *reach,
			   struct question *question)
{
	uint32_t index = names_find(state, question->name);
	question->answer = QUESTION_NOT_OURS;
	if (index == NONE || !is_within(&state->names[index], reach))
		return;
	const struct name *name = &state->names[index];
	/* another port of a mapped name goes where that name really leads */
	if (question->port && !name->is_globus && names_route(name, reach, question->port) == NONE)
		return;
	union address address = names_address(state, index);
	bool v4 = address.sa.sa_family == AF_INET;
	if (question->family && question->family != (v4 ? 4 : 6)) {
		question->answer = QUESTION_NO_FAMILY;
		question->family = v4 ? 4 : 6;
		return;
	}
	question->answer = QUESTION_OURS;
	question->family = v4 ? 4 : 6;
	if (v4)
		memcpy(question->address, &address.in.sin_addr, 4);
	else
		memcpy(question->address, &address.in6.sin6_addr, 16);
}

static void answer_reverse(const struct state *state, const struct reach *reach,
			   struct question *question)
{
	union address address = {0};
	if (question->family == 4) {
		address.sa.sa_family = AF_INET;
		memcpy(&address.in.sin_addr, question->address, 4);
	} else {
		address.sa.sa_family = AF_INET6;
		memcpy(&address.in6.sin6_addr, question->address, 16);
	}
	uint32_t name = names_by_address(state, reach, &address);
	question->answer = name == NONE ? QUESTION_NOT_OURS : QUESTION_OURS;
	if (name != NONE)
		snprintf(question->name, sizeof(question->name), "%s", state->names[name].host);
}

void names_answer(const struct state *state, const struct reach *reach, struct question *question)
{
	question->name[sizeof(question->name) - 1] = '\0';
	question->answer = QUESTION_NOT_OURS;
	if (question->op == QUESTION_RESOLVE)
		answer_resolve(state, reach, question);
	else if (question->op == QUESTION_REVERSE)
		answer_reverse(state, reach, question);
}

/* By the keeper, which believes nothing that stands there: no count, no index, no end of a text. */
int names_write_hosts(const struct state *state, const struct reach *reach, int fd)
{
	for (uint32_t i = 0; i < state->name_count && i < MAX_NAMES; i++) {
		char text[INET6_ADDRSTRLEN];
		union address address = names_address(state, i);
		if (!is_within(&state->names[i], reach))
			continue;
		inet_ntop(address.sa.sa_family,
			  address.sa.sa_family == AF_INET ? (void *)&address.in.sin_addr
							  : (void *)&address.in6.sin6_addr,
			  text, sizeof(text));
		if (dprintf(fd, "%s %.*s" NAMES_MARK "\n", text, CONTACT_HOST_MAX,
			    state->names[i].host) < 0)
			return -errno;
	}
	return 0;
}
