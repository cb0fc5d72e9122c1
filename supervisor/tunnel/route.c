#include "supervisor/tunnel/route.h"

#include <stdio.h>

#include "supervisor/base/address.h"
#include "supervisor/tunnel/names.h"
#include "supervisor/tunnel/tunnel.h"

struct route route_of(const struct state *state, const struct reach *reach,
		      const union address *asked)
{
	struct route route = {ROUTE_NONE, NONE, NONE};
	route.name = names_by_address(state, reach, asked);
	if (route.name == NONE) {
		/* what another tunnel maps must not lead an access point's connections elsewhere */
		route.tunnel = tunnel_by_contact(state, reach, asked);
		if (route.tunnel == NONE)
			route.tunnel = names_by_number(state, reach, asked, &route.name);
		route.kind = route.tunnel == NONE ? ROUTE_NONE : ROUTE_TUNNEL;
		return route;
	}
	const struct name *name = &state->names[route.name];
	route.tunnel = names_route(name, reach, address_port(asked));
	if (route.tunnel != NONE)
		route.kind = ROUTE_TUNNEL;
	else if (names_route(name, NULL, address_port(asked)) == NONE) /* else another's */
		route.kind = name->is_globus ? ROUTE_NO_PORT : ROUTE_REALLY;
	return route;
}

bool route_is_given(const struct state *state, const struct call *call, const union address *asked)
{
	const struct program *program = &state->programs[call->program];
	return names_is_virtual(asked) && (names_by_address(state, NULL, asked) != NONE ||
					   program->inherited || program->guest);
}

void route_describe(const struct state *state, const struct conn *conn, char *text, size_t size)
{
	char address[ADDRESS_TEXT];
	if (conn->name != NONE) {
		snprintf(text, size, "%s:%u", state->names[conn->name].host,
			 (unsigned)address_port(&conn->asked));
		return;
	}
	address_format(&conn->asked, address);
	snprintf(text, size, "%s", address);
}
