#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/base/patience.h"
#include "cli/base/say.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/environment/environment_expiry.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/standing.h"

#define EXPIRY_SECONDS 5 /* a launch waits for it */

struct values {
	const char *base_dir, *listener_contact;
	long long ttl; /* -1: not given */
	bool expiry;
};

static const struct option_spec options[] = {
	{0, "listener-contact-string", "HOST:PORT",
	 "change the address at which the access point connects to the listening program",
	 OPTION_TEXT, offsetof(struct values, listener_contact)},
	{0, "cs-ttl", "SECONDS", "use a stored contact for SECONDS", OPTION_NUMBER,
	 offsetof(struct values, ttl), 0, CONTACT_TTL_MAX},
	{0, "expiry", NULL, "only store when the tunnel ends, and print alive or ended",
	 OPTION_FLAG, offsetof(struct values, expiry)},
	OPTION_BASE_DIR(struct values),
	{0},
};

/* Change the listener contact: first in the tunnel, since that can be refused. */
static int move_listener(struct cli *cli, struct environment *environment,
			 const struct contact *contact)
{
	char text[CONTACT_TEXT_MAX];
	struct tunnel tunnel;
	contact_format(contact, text);
	if (!cli->json)
		printf("Updating the application listener on the Tunnel: %s to: %s\n",
		       environment->id, text);
	if (output_flush(&cli->failure) < 0)
		return -1;
	if (environment_set(environment, cli, CONF_LISTENER_CONTACT, text) < 0 ||
	    environment_check(environment, cli) < 0)
		return -1;
	if (transfer_change(cli, environment->id, transfer_listener(contact->host, contact->port),
			    &tunnel) < 0)
		return -1;
	/* The tunnel is changed: the conf file must follow, whatever else the answer lacks. */
	if (environment_expiry_set(cli, environment, &tunnel) < 0)
		failure_finish(&cli->failure);
	tunnel_finish(&tunnel);
	environment_warn_listener(contact);
	return 0;
}

/* Fetch the tunnel's end and the initiator's contact again; a contact not known yet is no error. */
static int fetch(struct cli *cli, struct environment *environment)
{
	char text[CONTACT_TEXT_MAX];
	struct tunnel tunnel;
	struct contact contact;
	if (transfer_tunnel(cli, environment->id, &tunnel) < 0)
		return -1;
	int err = standing_initiator(cli, &tunnel, &contact);
	if (!err && standing_ended(&tunnel))
		err = standing_explain(cli, &tunnel);
	if (!err)
		err = environment_expiry_set(cli, environment, &tunnel);
	tunnel_finish(&tunnel);
	if (err || !contact.port || environment_is_listener(environment))
		return err;
	contact_format(&contact, text);
	if (environment_set(environment, cli, CONF_CONTACT, text) < 0)
		return -1;
	return environment_set_number(environment, cli, CONF_UPDATE_TIME, time(NULL));
}

static int update(struct cli *cli, const struct values *values, struct environment *environment)
{
	struct contact listener;
	if (values->listener_contact &&
	    environment_listener(cli, values->listener_contact, &listener) < 0)
		return -1;
	if (environment_lock(environment, cli) < 0 || environment_read(environment, cli) < 0)
		return -1;
	if (values->listener_contact && environment_is_initiator(environment))
		return failure_set(&cli->failure, STATUS_USAGE,
				   "%s/%s.conf is for the initiator side; use "
				   "--listener-contact-string on the listener side",
				   environment->base, environment->id);
	if (values->listener_contact && environment_try_write(environment, cli) < 0)
		return -1;
	if (!cli->json)
		printf("Updating the environment for tunnel: %s\n", environment->id);
	if (output_flush(&cli->failure) < 0)
		return -1;
	if (values->ttl >= 0 &&
	    environment_set_number(environment, cli, CONF_CONTACT_TTL, values->ttl) < 0)
		return -1;
	int err = 0;
	if (values->listener_contact)
		err = move_listener(cli, environment, &listener);
	else
		err = fetch(cli, environment);
	if (!err)
		err = environment_check(environment, cli);
	return err ? err : environment_write(environment, cli);
}

static void print_end(const struct cli *cli, const struct environment *environment, bool ended)
{
	if (!cli->json) {
		printf("%s\n", ended ? "ended" : "alive");
		return;
	}
	cJSON *object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "tunnel_id", environment->id);
	cJSON_AddBoolToObject(object, "ended", ended);
	output_json(object);
	cJSON_Delete(object);
}

/* --expiry: what globus-streams-run asks where the time in the conf file has passed. */
static int ask_end(struct cli *cli, const struct values *values, struct environment *environment)
{
	bool ended;
	patience_set(EXPIRY_SECONDS);
	if (values->listener_contact || values->ttl >= 0)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "--expiry changes nothing else; give it without "
				   "--listener-contact-string and --cs-ttl");
	if (environment_lock(environment, cli) < 0 || environment_read(environment, cli) < 0 ||
	    environment_expiry_ask(cli, environment, &ended) < 0)
		return -1;
	/* The answer is valid even if it cannot be stored. */
	if (!ended && environment_write(environment, cli) < 0) {
		say_warning("%s", cli->failure.text ? cli->failure.text : "the conf file was kept");
		failure_finish(&cli->failure);
	}
	print_end(cli, environment, ended);
	return 0;
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct environment environment;
	int err = environment_init(&environment, cli, values->base_dir, words[0]);
	if (!err && values->expiry) {
		err = ask_end(cli, values, &environment);
		environment_finish(&environment);
		return err;
	}
	if (!err)
		err = update(cli, values, &environment);
	if (!err && cli->json)
		environment_print_json(&environment);
	environment_finish(&environment);
	return err;
}

const struct command environment_update_command = {
	.name = "update",
	.words = "TUNNEL_ID",
	.summary = "refresh the contact and the expiry time; change settings",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.defaults = &(const struct values){.ttl = -1},
	.run = run,
};
