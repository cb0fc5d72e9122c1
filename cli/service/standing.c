#include "cli/service/standing.h"

#include <string.h>
#include <strings.h>

#include "cli/base/timestamp.h"
#include "cli/service/call.h"

#define LIFETIME_MINS_MAX (100LL * 366 * 24 * 60)

static bool is(const struct tunnel *tunnel, const char *state)
{
	return strcasecmp(tunnel->state, state) == 0;
}

bool standing_active(const struct tunnel *tunnel)
{
	return is(tunnel, "ACTIVE");
}

bool standing_ended(const struct tunnel *tunnel)
{
	return is(tunnel, "STOPPING") || is(tunnel, "STOPPED") || is(tunnel, "DELETED") ||
	       is(tunnel, "EXPIRED");
}

static int take(struct cli *cli, const char *host, int64_t port, const char *field,
		struct contact *contact)
{
	*contact = (struct contact){0};
	if (!host || !*host || !port)
		return 0;
	if (contact_host(host, contact->host) < 0)
		return call_lacks(cli, "Transfer", "the tunnel", field);
	contact->port = (uint16_t)port;
	return 0;
}

int standing_initiator(struct cli *cli, const struct tunnel *tunnel, struct contact *contact)
{
	return take(cli, tunnel->initiator_ip, tunnel->initiator_port,
		    "attributes.initiator_ip_address", contact);
}

int standing_listener(struct cli *cli, const struct tunnel *tunnel, struct contact *contact)
{
	return take(cli, tunnel->listener_ip, tunnel->listener_port,
		    "attributes.listener_ip_address", contact);
}

int standing_explain(struct cli *cli, const struct tunnel *tunnel)
{
	struct failure *failure = &cli->failure;
	if (standing_ended(tunnel))
		return failure_set(
			failure, STATUS_FAILED,
			"tunnel %s has ended (state %s); create a new one: globus-streams "
			"tunnel create %s %s",
			tunnel->id, tunnel->state, tunnel->initiator_ap, tunnel->listener_ap);
	if (is(tunnel, "AWAITING_LISTENER"))
		return failure_set(failure, STATUS_FAILED,
				   "tunnel %s is not active yet (state AWAITING_LISTENER); "
				   "initialize the listener side first: globus-streams environment "
				   "initialize --listener-contact-string HOST:PORT %s",
				   tunnel->id, tunnel->id);
	if (standing_active(tunnel))
		return failure_set(failure, STATUS_FAILED,
				   "tunnel %s is active, but the address of its access point is "
				   "not known yet; try again in a moment",
				   tunnel->id);
	return failure_set(failure, STATUS_FAILED,
			   "tunnel %s is not active yet (state %s); try again in a moment, or see: "
			   "globus-streams tunnel events %s",
			   tunnel->id, tunnel->state, tunnel->id);
}

int standing_expiration(struct cli *cli, const struct tunnel *tunnel, int64_t *seconds)
{
	int64_t created;
	if (!tunnel->created || timestamp_parse(tunnel->created, &created) < 0)
		return call_lacks(cli, "Transfer", "the tunnel", "attributes.created_time");
	if (tunnel->lifetime_mins <= 0 || tunnel->lifetime_mins > LIFETIME_MINS_MAX)
		return call_lacks(cli, "Transfer", "the tunnel", "attributes.lifetime_mins");
	*seconds = created + tunnel->lifetime_mins * 60;
	return 0;
}
