#include "supervisor/accept/stranger.h"

#include <string.h>
#include <sys/random.h>

uint32_t stranger_source(struct state *state, const union address *peer)
{
	uint64_t key[2] = {0};
	/* the first time, or there is no randomness: then they are told apart all the same */
	while (state->source_key == 0 &&
	       getrandom(&state->source_key, sizeof(state->source_key), GRND_NONBLOCK) < 0)
		state->source_key = 1;
	if (peer->sa.sa_family == AF_INET)
		key[0] = peer->in.sin_addr.s_addr;
	else
		memcpy(key, &peer->in6.sin6_addr, 8);
	key[1] = peer->sa.sa_family;
	uint64_t hash = state->source_key;
	for (int i = 0; i < 2; i++) {
		hash = (hash ^ key[i]) * 0x9e3779b97f4a7c15ull;
		hash = (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9ull;
		hash ^= hash >> 32;
	}
	return (uint32_t)(hash % SOURCES);
}

/* Its three lists. */
static void lists_of(struct state *state, const struct conn *conn, struct list *lists[LINK_COUNT])
{
	int which = conn->talks;
	lists[LINK_LISTENER] = &state->listeners[conn->listener].strangers[which];
	lists[LINK_SOURCE] = &state->sources[conn->source].strangers[which];
	lists[LINK_ALL] = &state->strangers[which];
}

static void append(struct state *state, uint32_t index)
{
	struct list *lists[LINK_COUNT];
	lists_of(state, &state->conns[index], lists);
	for (enum link link = 0; link < LINK_COUNT; link++)
		conns_append(state, lists[link], link, index);
}

static void take_out(struct state *state, uint32_t index)
{
	struct list *lists[LINK_COUNT];
	lists_of(state, &state->conns[index], lists);
	for (enum link link = 0; link < LINK_COUNT; link++)
		conns_remove(state, lists[link], link, index);
}

void stranger_add(struct state *state, uint32_t index)
{
	const struct conn *conn = &state->conns[index];
	struct source *source = &state->sources[conn->source];
	if (source->count++ == 0) { /* a page of them comes into being as it is used */
		conns_clear(&source->strangers[0]);
		conns_clear(&source->strangers[1]);
	}
	state->listeners[conn->listener].incoming++;
	state->strangers_now++;
	append(state, index);
}

void stranger_talks(struct state *state, uint32_t index)
{
	take_out(state, index);
	state->conns[index].talks = true;
	append(state, index);
}

void stranger_remove(struct state *state, uint32_t index)
{
	const struct conn *conn = &state->conns[index];
	take_out(state, index);
	state->listeners[conn->listener].incoming--;
	state->sources[conn->source].count--;
	state->strangers_now--;
}

uint32_t stranger_oldest(const struct list strangers[2])
{
	return strangers[0].first != NONE ? strangers[0].first : strangers[1].first;
}

void stranger_recover(struct state *state)
{
	state->strangers_now = 0;
	conns_clear(&state->strangers[0]);
	conns_clear(&state->strangers[1]);
	for (uint32_t i = 0; i < state->conn_pool.top; i++)
		if (state->conns[i].source < SOURCES)
			state->sources[state->conns[i].source].count = 0;
	for (uint32_t i = 0; i < state->listener_pool.top; i++) {
		state->listeners[i].incoming = 0;
		conns_clear(&state->listeners[i].strangers[0]);
		conns_clear(&state->listeners[i].strangers[1]);
	}
}
