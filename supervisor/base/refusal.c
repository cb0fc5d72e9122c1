#include "supervisor/base/refusal.h"

#include <errno.h>

#include "supervisor/base/loop.h"

static enum refusal of_code(uint8_t code)
{
	switch (code) {
	case LAN_AUTH_REFUSED:
	case LAN_AUTH_UNKNOWN_KEY:
		return REFUSED_SECRET;
	case LAN_AUTH_NOT_ACTIVE:
	case LAN_AUTH_UNREACHABLE:
		return REFUSED_UNREACHABLE;
	case LAN_AUTH_TIMED_OUT:
		return REFUSED_TIME;
	case LAN_AUTH_BUSY:
		return REFUSED_FULL;
	default:
		return REFUSED_FORMAT;
	}
}

static enum refusal of_error(const struct conn *conn, int error)
{
	if (error == ETIMEDOUT || (error == 0 && conn->deadline && conn->deadline <= loop_now()))
		return REFUSED_TIME;
	if (error == EPROTO)
		return REFUSED_FORMAT;
	if (conn->state == CONN_LOOKUP || conn->state == CONN_TCP)
		return REFUSED_UNREACHABLE;
	return error == 0 || error == ECONNRESET || error == EPIPE ? REFUSED_CLOSED : REFUSED_OTHER;
}

static enum refusal reason(const struct conn *conn, int error)
{
	switch (conn->la.fault) {
	case LAN_AUTH_FAULT_STATUS:
		return of_code(conn->la.code);
	case LAN_AUTH_FAULT_PROTOCOL:
		return REFUSED_FORMAT;
	case LAN_AUTH_FAULT_MAC:
		return REFUSED_SECRET;
	default:
		return of_error(conn, error);
	}
}

void refusal_count(struct state *state, const struct conn *conn, int error)
{
	state->counters.refused[reason(conn, error)]++;
}
