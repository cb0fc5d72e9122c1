#include "cli/environment/environment_expiry.h"

#include <time.h>

#include "cli/service/standing.h"

bool environment_expiry_passed(const struct environment *environment)
{
	return environment_number(environment, CONF_EXPIRATION, 0) < time(NULL);
}

int environment_expiry_set(struct cli *cli, struct environment *environment,
			   const struct tunnel *tunnel)
{
	int64_t end;
	if (standing_expiration(cli, tunnel, &end) < 0)
		return -1;
	return environment_set_number(environment, cli, CONF_EXPIRATION, end);
}

int environment_expiry_ask(struct cli *cli, struct environment *environment, bool *ended)
{
	struct tunnel tunnel;
	*ended = false;
	if (transfer_tunnel(cli, environment->id, &tunnel) < 0) {
		*ended = cli->failure.gone;
		if (*ended)
			failure_finish(&cli->failure);
		return *ended ? 0 : -1;
	}
	*ended = standing_ended(&tunnel);
	/* It lives, whatever else the answer lacks. */
	if (!*ended && environment_expiry_set(cli, environment, &tunnel) < 0)
		failure_finish(&cli->failure);
	tunnel_finish(&tunnel);
	return 0;
}
