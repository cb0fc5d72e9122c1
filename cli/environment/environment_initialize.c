#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/base/patience.h"
#include "cli/base/say.h"
#include "cli/base/text.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/environment/environment_lan.h"
#include "cli/service/gcs.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/standing.h"
#include "cli/tunnel/tunnel_wait.h"

/*
 * environment initialize. The steps are ordered so that a failure leaves as little as possible
 * behind: read (tunnel, access point), create the LAN secret, store the listener's contact,
 * write the conf file, and only then delete the secret of the conf file that was replaced. Until
 * then the old conf file and its secret keep working; a new secret that will not be used is
 * deleted again. The same holds when SIGINT, SIGTERM or SIGHUP ends it.
 */

#define HOLD_SECONDS 10

struct values {
	const char *base_dir, *listener_contact, *lan_auth;
	struct option_list globus_contacts;
	long long ttl;
	bool listener, force, insecure;
	struct option_maybe wait;
};

static const struct option_spec options[] = {
	{0, "listener-contact-string", "HOST:PORT",
	 "address of the listening program (listener side)", OPTION_TEXT,
	 offsetof(struct values, listener_contact)},
	{0, "listener", NULL, "keep the tunnel's listener contact (listener side)", OPTION_FLAG,
	 offsetof(struct values, listener)},
	{0, "globus-contact", "HOST:PORT", "route HOST:PORT through the tunnel (repeatable)",
	 OPTION_LIST, offsetof(struct values, globus_contacts)},
	{0, "cs-ttl", "SECONDS", "use a stored contact for SECONDS (default 10)", OPTION_NUMBER,
	 offsetof(struct values, ttl), 0, CONTACT_TTL_MAX},
	OPTION_BASE_DIR(struct values),
	{0, "force", NULL, "initialize again, with a new secret and conf file", OPTION_FLAG,
	 offsetof(struct values, force)},
	{0, "insecure", NULL, "continue without a LAN secret if none is available", OPTION_FLAG,
	 offsetof(struct values, insecure)},
	{0, "lan-auth", "v1", "use this LAN authentication without asking", OPTION_TEXT,
	 offsetof(struct values, lan_auth)},
	OPTION_WAIT(struct values, "wait until the tunnel is active"),
	{0},
};

struct job {
	const struct values *values;
	struct environment environment;
	struct tunnel tunnel;
	bool listener;
	const char *access_point; /* ours; in tunnel */
	struct contact contact;   /* the listener's program, or the initiator's access point */
	char endpoint[37];
	char old_secret[37], old_endpoint[37]; /* empty: none */
	char *dropped; /* mapped hosts of the old conf that the new one lacks; NULL: none */
	bool old_gone; /* the old secret was deleted before a new one was created */
	struct lan_secret secret;
};

static int check_values(struct cli *cli, struct job *job)
{
	const struct values *values = job->values;
	struct contact contact;
	job->listener = values->listener || values->listener_contact;
	if (job->listener && values->globus_contacts.count)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "--globus-contact is for the initiator side and cannot be used "
				   "with --listener or --listener-contact-string");
	if (values->lan_auth && strcmp(values->lan_auth, "v1") != 0)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "--lan-auth takes v1, not '" TEXT_WORD
				   "'; to go on without authentication, use --insecure",
				   values->lan_auth);
	for (size_t i = 0; i < values->globus_contacts.count; i++)
		if (environment_contact(cli, "--globus-contact", values->globus_contacts.items[i],
					&contact) < 0)
			return -1;
	if (values->listener_contact)
		return environment_listener(cli, values->listener_contact, &job->contact);
	return 0;
}

static void remember(const struct environment *environment, const char *key, char id[37])
{
	uint8_t bytes[UUID_BYTES];
	const char *text = conf_get(&environment->conf, key);
	if (text && uuid_parse(text, bytes) == 0)
		uuid_format(bytes, id);
}

static int check_existing(struct cli *cli, struct job *job)
{
	struct environment *environment = &job->environment;
	if (!environment_try(environment))
		return 0;
	if (!job->values->force)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"%s/%s.conf already exists; to replace it and its LAN secret, use --force",
			environment->base, environment->id);
	const char *hosts = conf_get(&environment->conf, CONF_GLOBUS_CONTACT);
	if (hosts && !job->values->globus_contacts.count) {
		job->dropped = strdup(hosts);
		if (!job->dropped)
			return failure_memory(&cli->failure);
	}
	remember(environment, CONF_LANKEY_ID, job->old_secret);
	remember(environment, CONF_ENDPOINT_ID, job->old_endpoint);
	return 0;
}

static int look(struct cli *cli, struct job *job)
{
	if (transfer_tunnel(cli, job->environment.id, &job->tunnel) < 0)
		return -1;
	if (standing_ended(&job->tunnel))
		return standing_explain(cli, &job->tunnel);
	job->access_point = job->listener ? job->tunnel.listener_ap : job->tunnel.initiator_ap;
	if (*job->endpoint)
		return 0;
	struct access_point point;
	if (transfer_access_point(cli, job->access_point, &point) < 0)
		return -1;
	int err = 0;
	if (point.endpoint)
		snprintf(job->endpoint, sizeof(job->endpoint), "%s", point.endpoint);
	else
		err = failure_set(&cli->failure, STATUS_FAILED,
				  "Transfer does not report the endpoint of access point %s; give "
				  "the endpoint's id after TUNNEL_ID",
				  job->access_point);
	access_point_finish(&point);
	return err;
}

static int delete_old(struct cli *cli, struct job *job)
{
	const char *endpoint = *job->old_endpoint ? job->old_endpoint : job->endpoint;
	if (!*job->old_secret)
		return 0;
	int err = gcs_delete_secret(cli, endpoint, job->old_secret);
	*job->old_secret = '\0';
	return err;
}

static int make_secret(struct cli *cli, struct job *job)
{
	struct environment_lan lan = {job->endpoint, job->access_point, job->listener,
				      job->values->insecure, LAN_OURS};
	if (!job->values->lan_auth && environment_lan_check(cli, &lan) < 0)
		return -1;
	if (lan.kind != LAN_OURS)
		return 0;
	int err = gcs_create_secret(cli, job->endpoint, job->access_point, job->environment.id,
				    &job->secret);
	/* A manager that allows one secret per tunnel: delete the old one first. */
	if (err && cli->failure.http == 409 && *job->old_secret && delete_old(cli, job) == 0) {
		job->old_gone = true;
		patience_hold(HOLD_SECONDS);
		err = gcs_create_secret(cli, job->endpoint, job->access_point, job->environment.id,
					&job->secret);
	}
	if (!err)
		return 0;
	if (!job->values->insecure)
		return failure_prefix(
			&cli->failure,
			job->old_gone
				? "cannot get a new LAN secret: "
				: "cannot get a LAN secret, so the environment was not changed: ");
	say_warning("the LAN connection for this tunnel is not secured: %s",
		    cli->failure.text ? cli->failure.text : "no LAN secret");
	failure_finish(&cli->failure);
	return 0;
}

/* Store the listener's contact in the tunnel, or learn what is stored; or learn the initiator's. */
static int exchange_contacts(struct cli *cli, struct job *job)
{
	if (!job->listener)
		return standing_initiator(cli, &job->tunnel, &job->contact);
	if (!job->values->listener_contact)
		return standing_listener(cli, &job->tunnel, &job->contact);
	struct tunnel changed;
	cJSON *attributes = transfer_listener(job->contact.host, job->contact.port);
	if (transfer_change(cli, job->environment.id, attributes, &changed) < 0)
		return -1;
	tunnel_finish(&changed);
	return 0;
}

static int fake_port(const struct environment *environment)
{
	long long port = environment_number(environment, CONF_FAKE_PORT, 0);
	uint32_t random = 0;
	if (port >= CONF_FAKE_PORT_LOW && port <= CONF_FAKE_PORT_HIGH)
		return (int)port;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint32_t)time(NULL);
	return CONF_FAKE_PORT_LOW + (int)(random % (CONF_FAKE_PORT_HIGH - CONF_FAKE_PORT_LOW + 1));
}

/* Whether an earlier item is the same. */
static bool is_double(const struct option_list *list, size_t at, const struct contact *contact)
{
	for (size_t i = 0; i < at; i++) {
		struct contact other;
		contact_parse(list->items[i], &other);
		if (other.port == contact->port && strcasecmp(other.host, contact->host) == 0)
			return true;
	}
	return false;
}

/* "HOST:PORT,HOST:PORT"; NULL where none was given. Free it. */
static char *mapped(const struct option_list *list)
{
	char *joined = list->count ? calloc(list->count, CONTACT_TEXT_MAX + 1) : NULL;
	size_t len = 0;
	for (size_t i = 0; joined && i < list->count; i++) {
		struct contact contact;
		contact_parse(list->items[i], &contact);
		if (is_double(list, i, &contact))
			continue;
		if (len)
			joined[len++] = ',';
		contact_format(&contact, joined + len);
		len += strlen(joined + len);
	}
	return joined;
}

static int set_contacts(struct cli *cli, struct job *job)
{
	struct environment *environment = &job->environment;
	char text[CONTACT_TEXT_MAX] = "";
	const char *contact = NULL, *none = NULL;
	if (job->contact.port) {
		contact_format(&job->contact, text);
		contact = text;
	}
	cleanup_free char *hosts = mapped(&job->values->globus_contacts);
	const char *ours = job->listener ? CONF_LISTENER_CONTACT : CONF_CONTACT;
	const char *other = job->listener ? CONF_CONTACT : CONF_LISTENER_CONTACT;
	/* While no contact is known, an empty entry shows which side this is. */
	if (!contact && job->listener)
		contact = "";
	else if (!contact)
		none = "";
	if (environment_set(environment, cli, ours, contact) < 0 ||
	    environment_set(environment, cli, other, NULL) < 0)
		return -1;
	return environment_set(environment, cli, CONF_GLOBUS_CONTACT, hosts ? hosts : none);
}

static int fill(struct cli *cli, struct job *job)
{
	struct environment *environment = &job->environment;
	const struct lan_secret *secret = &job->secret;
	int64_t expiration;
	long long ttl = job->values->ttl;
	if (standing_expiration(cli, &job->tunnel, &expiration) < 0 ||
	    environment_set(environment, cli, CONF_LANKEY, secret->secret) < 0 ||
	    environment_set(environment, cli, CONF_LANKEY_ID, secret->secret ? secret->id : NULL) <
		    0 ||
	    environment_set(environment, cli, CONF_LAN_AUTH, secret->secret ? "v1" : "none") < 0 ||
	    environment_set_number(environment, cli, CONF_UPDATE_TIME, time(NULL)) < 0 ||
	    environment_set_number(environment, cli, CONF_CONTACT_TTL, ttl) < 0 ||
	    environment_set(environment, cli, CONF_ENDPOINT_ID, job->endpoint) < 0 ||
	    environment_set_number(environment, cli, CONF_FAKE_PORT, fake_port(environment)) < 0 ||
	    environment_set_number(environment, cli, CONF_EXPIRATION, expiration) < 0)
		return -1;
	return set_contacts(cli, job);
}

/* Delete the secret that was created and will not be used. */
static void take_back(struct cli *cli, struct job *job)
{
	struct failure first = cli->failure;
	if (!job->secret.secret)
		return;
	cli->failure = (struct failure){0};
	bool interrupted = patience_signal();
	patience_hold(HOLD_SECONDS);
	if (gcs_delete_secret(cli, job->endpoint, job->secret.id) == 0)
		say_verbose("the new LAN secret was deleted again");
	else if (interrupted)
		say_warning("the new LAN secret %s was not deleted and stays valid until it "
			    "expires: %s",
			    job->secret.id, cli->failure.text);
	else
		say_verbose("the new LAN secret %s was not deleted: %s", job->secret.id,
			    cli->failure.text);
	failure_finish(&cli->failure);
	cli->failure = first;
}

/* Whether a signal came while everything can still be undone. */
static int stop_here(struct cli *cli, const struct job *job)
{
	return patience_gives_up(0) && !job->old_gone
		       ? patience_fail(&cli->failure, "; nothing was changed")
		       : 0;
}

/* Warn of what was asked for but may not be intended. */
static void warn(const struct job *job)
{
	if (job->values->listener_contact)
		environment_warn_listener(&job->contact);
	if (job->dropped)
		say_warning("no longer mapped: %s; to keep hosts mapped, give --globus-contact "
			    "each time",
			    job->dropped);
}

static int perform(struct cli *cli, struct job *job)
{
	if (look(cli, job) < 0 || make_secret(cli, job) < 0)
		return -1;
	/* fill() before and after: what it refuses must be found before the tunnel is changed. */
	if (stop_here(cli, job) < 0 || fill(cli, job) < 0 || exchange_contacts(cli, job) < 0 ||
	    fill(cli, job) < 0 || environment_write(&job->environment, cli) < 0) {
		take_back(cli, job);
		return -1;
	}
	patience_hold(HOLD_SECONDS);
	if (delete_old(cli, job) < 0) {
		say_warning("the old LAN secret was not deleted: %s", cli->failure.text);
		failure_finish(&cli->failure);
	}
	patience_hold(0);
	warn(job);
	return 0;
}

/* The environment is ready; wait for the tunnel, and store the contact that it has then. */
static int await(struct cli *cli, struct job *job)
{
	struct environment *environment = &job->environment;
	struct tunnel tunnel;
	char text[CONTACT_TEXT_MAX];
	environment_unlock(environment);
	if (tunnel_wait_active(cli, environment->id, job->values->wait.value, &tunnel) < 0) {
		if (patience_signal())
			return failure_set(&cli->failure, 128 + patience_signal(),
					   "the environment is initialized, but the wait for "
					   "tunnel %s to become active was interrupted",
					   environment->id);
		return failure_prefix(&cli->failure, "the environment is initialized, but ");
	}
	int err = job->listener ? 0 : standing_initiator(cli, &tunnel, &job->contact);
	tunnel_finish(&tunnel);
	if (err || job->listener)
		return err;
	contact_format(&job->contact, text);
	if (environment_lock(environment, cli) < 0 || environment_read(environment, cli) < 0 ||
	    environment_set(environment, cli, CONF_CONTACT, text) < 0 ||
	    environment_set_number(environment, cli, CONF_UPDATE_TIME, time(NULL)) < 0)
		return -1;
	return environment_write(environment, cli);
}

static void print_text(const struct job *job, const char *contact)
{
	const struct environment *environment = &job->environment;
	printf("The environment is initialized for use with tunnel %s\n", environment->id);
	output_line("Your application key file base directory is %s%s", environment->base,
		    strcmp(environment->base, "/") == 0 ? "" : "/");
	if (!job->listener)
		printf("Your contact string is: %s\n", contact);
	else if (!job->contact.port)
		say_note("the tunnel has no listener contact yet; set it with: globus-streams "
			 "environment update --listener-contact-string HOST:PORT %s%s",
			 environment->option, environment->id);
}

static void print_json(const struct job *job, const char *contact)
{
	const struct environment *environment = &job->environment;
	char listener[CONTACT_TEXT_MAX];
	cJSON *object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "tunnel_id", environment->id);
	cJSON_AddStringToObject(object, "base_dir", environment->base);
	cJSON_AddStringToObject(object, "side", job->listener ? "listener" : "initiator");
	cJSON_AddBoolToObject(object, "secured", job->secret.secret != NULL);
	if (!job->listener)
		cJSON_AddStringToObject(object, "contact_string", contact);
	else if (job->contact.port) {
		contact_format(&job->contact, listener);
		cJSON_AddStringToObject(object, "listener_contact_string", listener);
	}
	output_json(object);
	cJSON_Delete(object);
}

static void print(const struct cli *cli, const struct job *job)
{
	char contact[64];
	snprintf(contact, sizeof(contact), "globus.%s:%u", job->environment.id,
		 environment_fake_port(&job->environment));
	if (cli->json)
		print_json(job, contact);
	else
		print_text(job, contact);
}

static int start(struct cli *cli, struct job *job, char **words)
{
	if (check_values(cli, job) < 0 ||
	    (words[1] && cli_uuid(cli, "an endpoint's", words[1], job->endpoint) < 0) ||
	    environment_init(&job->environment, cli, job->values->base_dir, words[0]) < 0 ||
	    environment_lock(&job->environment, cli) < 0 || check_existing(cli, job) < 0 ||
	    environment_try_write(&job->environment, cli) < 0)
		return -1;
	if (!cli->json)
		printf("Initializing the environment for tunnel: %s\n", job->environment.id);
	if (output_flush(&cli->failure) < 0)
		return -1;
	int err = perform(cli, job);
	if (err && job->old_gone)
		failure_prefix(&cli->failure,
			       "the endpoint allows only one LAN secret, so the old one was "
			       "deleted, and the conf file will not work until this succeeds: ");
	return err;
}

static int run(struct cli *cli, const void *given, char **words)
{
	struct job job = {.values = given, .environment = {.lock = -1}};
	patience_catch_signals();
	int err = start(cli, &job, words);
	bool done = !err;
	if (done && job.values->wait.given)
		err = await(cli, &job);
	/* Also if the wait failed: the conf file is written. */
	if (done)
		print(cli, &job);
	/* Whichever step failed, the signal was the reason. */
	if (err && patience_signal())
		cli->failure.status = 128 + patience_signal();
	free(job.dropped);
	lan_secret_finish(&job.secret);
	tunnel_finish(&job.tunnel);
	environment_finish(&job.environment);
	return err;
}

const struct command environment_initialize_command = {
	.name = "initialize",
	.words = "TUNNEL_ID [ENDPOINT_ID]",
	.summary = "set up this machine for programs that use a tunnel",
	.about = "Run it on both sides; on the listener side, with --listener-contact-string. It "
		 "fetches a LAN secret and writes the tunnel's conf file.",
	.words_min = 1,
	.words_max = 2,
	.options = options,
	.values_size = sizeof(struct values),
	.defaults = &(const struct values){.ttl = CONTACT_TTL_DEFAULT, .wait = TUNNEL_WAIT_FOREVER},
	.run = run,
};
