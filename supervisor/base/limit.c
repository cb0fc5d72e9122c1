#include "supervisor/base/limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "supervisor/base/log.h"
#include "supervisor/base/share.h"

/* A stranger's connection takes a descriptor for up to 10 s; a line of the log, disk. */
const struct limit_spec limit_specs[LIMIT_COUNT] = {
	[LIMIT_STRANGERS] = {"strangers", 4096, MAX_CONNS / 4,
			     "unauthenticated connections, in total"},
	[LIMIT_STRANGERS_EACH] = {"strangers-each", 1024, MAX_CONNS / 4, "the same, per listener"},
	[LIMIT_STRANGERS_ADDRESS] = {"strangers-address", 512, MAX_CONNS / 4,
				     "the same, per source address (IPv6: per /64)"},
	[LIMIT_READY] = {"ready", 1024, MAX_CONNS / 4,
			 "authenticated connections that a listener has not accepted yet"},
	[LIMIT_CONNECTS] = {"connects", MAX_CONNS / 2, MAX_CONNS / 2,
			    "connections being established"},
	[LIMIT_CONNECTS_EACH] = {"connects-each", MAX_CONNS / 8, MAX_CONNS / 2,
				 "the same, per user in one launch"},
	[LIMIT_CALLS] = {"calls", MAX_CALLS / 2, MAX_CALLS / 2, "waiting calls"},
	[LIMIT_CALLS_EACH] = {"calls-each", MAX_CALLS / 8, MAX_CALLS / 2,
			      "the same, per user in one launch"},
	[LIMIT_LISTENERS] = {"listeners", MAX_LISTENERS, MAX_LISTENERS,
			     "sockets listening on tunnel ports"},
	[LIMIT_LISTENERS_EACH] = {"listeners-each", MAX_LISTENERS / 4, MAX_LISTENERS,
				  "the same, of one user's programs of a launch"},
	[LIMIT_TUNNELS] = {"tunnels", MAX_TUNNELS, MAX_TUNNELS, "tunnels"},
	[LIMIT_NAMES] = {"names", MAX_NAMES, MAX_NAMES, "names that lead into tunnels"},
	[LIMIT_PROGRAMS] = {"programs", MAX_PROGRAMS, MAX_PROGRAMS, "attached commands"},
	[LIMIT_CLIENTS] = {"clients", MAX_CLIENTS, MAX_CLIENTS,
			   "connections to the control socket"},
	[LIMIT_LOG_LINES] = {"log-lines", 10000, 1000000, "log lines per second"},
};

void limit_init(struct limits *limits)
{
	for (size_t i = 0; i < LIMIT_COUNT; i++)
		limits->most[i] = limit_specs[i].usual;
}

int limit_set(struct limits *limits, const char *text, const char **why)
{
	size_t len = strcspn(text, "=");
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		const char *name = limit_specs[i].name;
		char *end;
		if (strlen(name) != len || strncmp(name, text, len) != 0)
			continue;
		*why = "write NAME=N, N from 1 to its maximum (LIMITS in globus-streams-run(1))";
		if (text[len] != '=' || text[len + 1] < '0' || text[len + 1] > '9')
			return -EINVAL;
		errno = 0;
		unsigned long number = strtoul(text + len + 1, &end, 10);
		if (*end || errno || number == 0 || number > limit_specs[i].most)
			return -EINVAL;
		limits->most[i] = (uint32_t)number;
		return 0;
	}
	*why = "unknown limit; see LIMITS in globus-streams-run(1)";
	return -EINVAL;
}

static void at_most(uint32_t *most, rlim_t limit)
{
	if (*most > limit)
		*most = (uint32_t)limit;
}

/* Strangers may take half of our descriptors at most, those of one listener a quarter, those from
 * one address an eighth. */
void limit_fit(struct state *state)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	at_most(&state->limits.most[LIMIT_STRANGERS], limit.rlim_cur / 2);
	at_most(&state->limits.most[LIMIT_STRANGERS_EACH], limit.rlim_cur / 4);
	at_most(&state->limits.most[LIMIT_STRANGERS_ADDRESS], limit.rlim_cur / 8);
	at_most(&state->limits.most[LIMIT_READY], limit.rlim_cur / 4);
	at_most(&state->limits.most[LIMIT_CONNECTS], limit.rlim_cur / 2);
	at_most(&state->limits.most[LIMIT_CONNECTS_EACH], limit.rlim_cur / 4);
}

/* Those at which a program's call fails, which nobody else tells. */
static bool is_of_calls(enum limit limit)
{
	return limit == LIMIT_CONNECTS || limit == LIMIT_CONNECTS_EACH || limit == LIMIT_CALLS ||
	       limit == LIMIT_CALLS_EACH || limit == LIMIT_LISTENERS ||
	       limit == LIMIT_LISTENERS_EACH;
}

bool limit_reached(struct state *state, enum limit limit, uint32_t now)
{
	if (now < state->limits.most[limit])
		return false;
	state->limits.met[limit]++;
	if (is_of_calls(limit))
		log_warn("limit %s=%u is reached: a call of a program fails; change the limit with "
			 "--limit %s=N",
			 limit_specs[limit].name, (unsigned)state->limits.most[limit],
			 limit_specs[limit].name);
	return true;
}

/* From where most come; without a look at sources that nobody has come from. */
static uint32_t most_of_one_source(const struct state *state)
{
	uint32_t most = 0;
	for (int talks = 0; talks < 2; talks++) {
		uint32_t i = state->strangers[talks].first;
		while (i != NONE) {
			const struct conn *conn = &state->conns[i];
			if (state->sources[conn->source].count > most)
				most = state->sources[conn->source].count;
			i = conn->links[LINK_ALL].next;
		}
	}
	return most;
}

/* At the listener that has most. */
static uint32_t most_at_one(const struct state *state, bool ready)
{
	uint32_t most = 0;
	for (uint32_t i = 0; i < state->listener_pool.top; i++) {
		const struct listener *listener = &state->listeners[i];
		uint32_t count = ready ? listener->ready_count : listener->incoming;
		if (listener->slot.used && count > most)
			most = count;
	}
	return most;
}

static uint32_t programs(const struct state *state)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		count += state->programs[i].slot.used;
	return count;
}

static uint32_t clients(const struct state *state)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < MAX_CLIENTS; i++)
		count += state->clients[i] >= 0;
	return count;
}

uint32_t limit_now(const struct state *state, enum limit limit)
{
	switch (limit) {
	case LIMIT_STRANGERS:
		return state->strangers_now;
	case LIMIT_STRANGERS_EACH:
	case LIMIT_READY:
		return most_at_one(state, limit == LIMIT_READY);
	case LIMIT_CONNECTS:
		return state->connecting;
	case LIMIT_CALLS:
		return state->held;
	case LIMIT_LISTENERS:
		return state->listening;
	case LIMIT_STRANGERS_ADDRESS:
		return most_of_one_source(state);
	case LIMIT_LISTENERS_EACH:
		return share_most(state, PART_LISTENERS);
	case LIMIT_CALLS_EACH:
		return share_most(state, PART_CALLS);
	case LIMIT_CONNECTS_EACH:
		return share_most(state, PART_CONNECTS);
	case LIMIT_TUNNELS:
		return state->tunnel_count;
	case LIMIT_NAMES:
		return state->name_count;
	case LIMIT_PROGRAMS:
		return programs(state);
	case LIMIT_CLIENTS:
		return clients(state);
	default:
		return 0;
	}
}
