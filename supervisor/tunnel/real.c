#include "supervisor/tunnel/real.h"

#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/base/loop.h"
#include "supervisor/tunnel/lookup.h"
#include "supervisor/tunnel/names.h"

#define AGAIN   (60 * SECOND)
#define AT_ONCE 2 /* lookups */

/* IPv4 as v4-mapped. What is any address where one listens is this machine where one connects. */
static void bytes_of(const union address *address, uint8_t bytes[16])
{
	union address wide = *address;
	if (wide.sa.sa_family == AF_INET && wide.in.sin_addr.s_addr == htonl(INADDR_ANY))
		wide.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (wide.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&wide.in6.sin6_addr))
		wide.in6.sin6_addr = in6addr_loopback;
	address_for_socket(&wide, AF_INET6);
	memcpy(bytes, wide.in6.sin6_addr.s6_addr, 16);
}

static uint32_t bit_of(const uint8_t bytes[16], uint16_t port)
{
	uint32_t hash = (2166136261u ^ port) * 16777619u; /* FNV-1a */
	for (size_t i = 0; i < 16; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) % REAL_BITS;
}

void real_add(struct name *name, const union address *address, bool first)
{
	uint8_t bytes[16];
	bytes_of(address, bytes);
	if (first)
		name->real_count = 0;
	for (uint32_t i = 0; i < name->real_count; i++)
		if (memcmp(name->all_real[i], bytes, sizeof(bytes)) == 0)
			return;
	if (name->real_count < MAX_REAL)
		memcpy(name->all_real[name->real_count++], bytes, sizeof(bytes));
}

/* Numbers that tell at once of most addresses that they are none of these. */
static void rebuild(struct state *state)
{
	memset(state->real_bits, 0, sizeof(state->real_bits));
	for (uint32_t i = 0; i < state->name_count; i++) {
		const struct name *name = &state->names[i];
		for (uint32_t a = 0; a < name->real_count; a++)
			for (uint32_t r = 0; r < name->routes; r++) {
				uint32_t bit = bit_of(name->all_real[a], name->port[r]);
				state->real_bits[bit / 64] |= 1ull << bit % 64;
			}
	}
}

/* The next name of this round whose address is not simply its number. */
static void look_up_next(struct state *state)
{
	while (state->real_next < state->name_count) {
		uint32_t index = state->real_next++;
		const struct name *name = &state->names[index];
		if (name->is_globus || names_is_number(name))
			continue;
		lookup_want(state, LOOKUP_OF_NAME(index));
		return;
	}
}

void real_refresh(struct state *state)
{
	uint64_t now = loop_now();
	if (!state->mapped_names || (state->real_round && now - state->real_round < AGAIN))
		return;
	state->real_round = now;
	state->real_next = 0;
	for (unsigned i = 0; i < AT_ONCE; i++)
		look_up_next(state);
}

bool real_is_pending(struct state *state)
{
	real_refresh(state);
	if (!state->mapped_names)
		return false;
	for (uint32_t i = 0; i < state->name_count; i++)
		if (state->lookups[LOOKUP_OF_NAME(i)].stage != LOOKUP_IDLE)
			return true;
	return state->real_next < state->name_count;
}

void real_looked_up(struct state *state)
{
	rebuild(state);
	look_up_next(state);
}

void real_recover(struct state *state)
{
	rebuild(state);
	real_refresh(state);
}

uint32_t real_find(const struct state *state, const struct reach *reach,
		   const union address *address)
{
	uint8_t bytes[16];
	uint16_t port = address_port(address);
	if (!state->mapped_names)
		return NONE;
	bytes_of(address, bytes);
	uint32_t bit = bit_of(bytes, port);
	if (!(state->real_bits[bit / 64] >> bit % 64 & 1))
		return NONE;
	for (uint32_t i = 0; i < state->name_count; i++) {
		const struct name *name = &state->names[i];
		for (uint32_t a = 0; a < name->real_count; a++)
			if (memcmp(name->all_real[a], bytes, sizeof(bytes)) == 0 &&
			    names_route(name, reach, port) != NONE)
				return i;
	}
	return NONE;
}
