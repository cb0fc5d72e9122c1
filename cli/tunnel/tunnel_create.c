#include "cli/base/say.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/service/output.h"
#include "cli/tunnel/tunnel_record.h"
#include "cli/tunnel/tunnel_wait.h"

struct values {
	const char *label;
	long long lifetime;
	bool restartable;
	const char *listener_contact;
	struct option_maybe wait;
};

static const struct option_spec options[] = {
	{0, "label", "TEXT", "set the name of the tunnel", OPTION_TEXT,
	 offsetof(struct values, label)},
	{0, "lifetime-minutes", "N", "end the tunnel after N minutes (default 360)", OPTION_NUMBER,
	 offsetof(struct values, lifetime), 1, 5256000},
	{0, "listener-contact-string", "HOST:PORT",
	 "address of the listening program: the tunnel is active at once", OPTION_TEXT,
	 offsetof(struct values, listener_contact)},
	{0, "restartable", NULL, "restart the tunnel after an error", OPTION_FLAG,
	 offsetof(struct values, restartable)},
	OPTION_WAIT(struct values, "wait until the tunnel is active"),
	{0},
};

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	char initiator[37], listener[37], id[37] = "";
	struct tunnel tunnel;
	struct contact contact;
	if (cli_uuid(cli, "an access point's", words[0], initiator) < 0 ||
	    cli_uuid(cli, "an access point's", words[1], listener) < 0)
		return -1;
	if (values->listener_contact &&
	    environment_listener(cli, values->listener_contact, &contact) < 0)
		return -1;
	struct tunnel_wish wish = {initiator,           listener,
				   values->label,       values->lifetime,
				   values->restartable, values->listener_contact ? &contact : NULL};
	if (transfer_create(cli, &wish, &tunnel) < 0)
		return -1;
	/* It need not be this machine that listens. */
	if (values->listener_contact)
		environment_warn_loopback(&contact);
	if (values->wait.given) {
		int bad = cli_uuid(cli, "a tunnel's", tunnel.id, id);
		tunnel_finish(&tunnel);
		/* Print the id now: it is needed to initialize the listener that we wait for. */
		if (!bad)
			say_note("tunnel %s is created; waiting for it to become active", id);
		if (bad || tunnel_wait_active(cli, id, values->wait.value, &tunnel) < 0)
			return failure_prefix(&cli->failure, "tunnel %s is created: ", id);
	}
	tunnel_record_print(cli, &tunnel);
	int err = output_flush(&cli->failure);
	if (err)
		failure_prefix(&cli->failure, "tunnel %s is created, but ", tunnel.id);
	tunnel_finish(&tunnel);
	return err;
}

const struct command tunnel_create_command = {
	.name = "create",
	.words = "INITIATOR_AP LISTENER_AP",
	.summary = "create a tunnel",
	.about = "The initiator's access point accepts connections, the listener's makes them. "
		 "Give both by id; see: globus-streams access-point list",
	.words_min = 2,
	.words_max = 2,
	.options = options,
	.values_size = sizeof(struct values),
	.defaults = &(const struct values){.wait = TUNNEL_WAIT_FOREVER},
	.run = run,
};
