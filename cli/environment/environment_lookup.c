#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/environment/environment_expiry.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/standing.h"

/*
 * environment contact-lookup. With a fresh conf it is quick and contacts no service: it neither
 * loads libcurl nor takes a lock. If several processes find the conf stale at once, one asks
 * Transfer; the others wait for its lock and use what it wrote.
 */

#define CLOCK_SLACK_S 2 /* a stored time this far ahead was written by another clock: not fresh */

struct values {
	const char *base_dir;
	bool skip_update, refresh, numeric;
};

static const struct option_spec options[] = {
	OPTION_BASE_DIR(struct values),
	{0, "skip-update", NULL, "print the stored contact, however old", OPTION_FLAG,
	 offsetof(struct values, skip_update)},
	{0, "refresh", NULL, "ask Transfer even if the stored contact is fresh", OPTION_FLAG,
	 offsetof(struct values, refresh)},
	{0, "numeric", NULL, "print an address, not a host name", OPTION_FLAG,
	 offsetof(struct values, numeric)},
	{0},
};

/* The stored contact; port 0: none that is usable. */
static struct contact stored(const struct environment *environment)
{
	struct contact contact = {0};
	const char *text = conf_get(&environment->conf, CONF_CONTACT);
	if (!text || contact_parse(text, &contact) < 0)
		contact = (struct contact){0};
	return contact;
}

static bool is_fresh(const struct environment *environment)
{
	long long now = time(NULL);
	long long updated = environment_number(environment, CONF_UPDATE_TIME, -1);
	long long ttl = environment_number(environment, CONF_CONTACT_TTL, CONTACT_TTL_DEFAULT);
	return stored(environment).port && updated >= 0 && updated <= now + CLOCK_SLACK_S &&
	       now - updated <= ttl;
}

/* Another process may have changed the conf between our read and our lock. */
static int reread(struct cli *cli, struct environment *environment)
{
	if (environment->lock >= 0)
		return 0;
	return environment_lock(environment, cli) < 0 ? -1 : environment_read(environment, cli);
}

static int store(struct cli *cli, struct environment *environment, const struct contact *contact,
		 const struct tunnel *tunnel)
{
	char text[CONTACT_TEXT_MAX];
	contact_format(contact, text);
	if (reread(cli, environment) < 0 ||
	    environment_set(environment, cli, CONF_CONTACT, text) < 0 ||
	    environment_set_number(environment, cli, CONF_UPDATE_TIME, time(NULL)) < 0)
		return -1;
	if (environment_expiry_set(cli, environment, tunnel) < 0)
		failure_finish(&cli->failure); /* it was not asked for */
	/* The answer is valid even if it cannot be stored: a read-only home, a full disk. */
	if (environment_write(environment, cli) < 0) {
		say_warning("%s", cli->failure.text ? cli->failure.text : "the conf file was kept");
		failure_finish(&cli->failure);
	}
	return 0;
}

static int fetch(struct cli *cli, struct environment *environment, struct contact *contact)
{
	struct tunnel tunnel;
	if (transfer_tunnel(cli, environment->id, &tunnel) < 0)
		return -1;
	int err = standing_initiator(cli, &tunnel, contact);
	if (!err && (standing_ended(&tunnel) || !contact->port))
		err = standing_explain(cli, &tunnel);
	if (!err)
		err = store(cli, environment, contact, &tunnel);
	tunnel_finish(&tunnel);
	return err;
}

/* Fetch under the lock, unless its previous holder has just done so. */
static int update(struct cli *cli, struct environment *environment, bool refresh,
		  struct contact *contact)
{
	if (environment_lock(environment, cli) < 0 || environment_read(environment, cli) < 0)
		return -1;
	if (is_fresh(environment) && (!refresh || environment->waited)) {
		*contact = stored(environment);
		return 0;
	}
	/* The previous holder got no answer: all that waited for it now ask at once, not in
	 * turn. */
	if (environment->waited)
		environment_unlock(environment);
	return fetch(cli, environment, contact);
}

static int lookup(struct cli *cli, struct environment *environment, const struct values *values,
		  struct contact *contact)
{
	if (environment_read(environment, cli) < 0)
		return -1;
	*contact = stored(environment);
	if (values->skip_update && !contact->port)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "no contact is stored for tunnel %s; run: globus-streams "
				   "environment contact-lookup %s%s",
				   environment->id, environment->option, environment->id);
	if (values->skip_update || (!values->refresh && is_fresh(environment)))
		return 0;
	return update(cli, environment, values->refresh, contact);
}

/* Replace the name by its first address. */
static int resolve(struct cli *cli, struct contact *contact)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	unsigned char bytes[16];
	if (inet_pton(AF_INET, contact->host, bytes) == 1 ||
	    inet_pton(AF_INET6, contact->host, bytes) == 1)
		return 0;
	int code = getaddrinfo(contact->host, NULL, &hints, &list);
	if (code)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"cannot resolve the access point's name %s: %s; check this machine's DNS",
			contact->host, gai_strerror(code));
	code = getnameinfo(list->ai_addr, list->ai_addrlen, contact->host, sizeof(contact->host),
			   NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	return code ? failure_set(&cli->failure, STATUS_FAILED, "%s", gai_strerror(code)) : 0;
}

static void print(const struct cli *cli, const struct environment *environment,
		  const struct contact *contact)
{
	char text[CONTACT_TEXT_MAX];
	contact_format(contact, text);
	if (!cli->json) {
		printf("%s\n", text);
		return;
	}
	cJSON *object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "tunnel_id", environment->id);
	cJSON_AddStringToObject(object, "contact_string", text);
	output_json(object);
	cJSON_Delete(object);
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct environment environment;
	struct contact contact;
	if (values->skip_update && values->refresh)
		return failure_set(
			&cli->failure, STATUS_USAGE,
			"--skip-update and --refresh cannot be used together; give one of them");
	int err = environment_init(&environment, cli, values->base_dir, words[0]);
	if (!err)
		err = lookup(cli, &environment, values, &contact);
	if (!err && values->numeric)
		err = resolve(cli, &contact);
	if (!err)
		print(cli, &environment, &contact);
	environment_finish(&environment);
	return err;
}

const struct command environment_lookup_command = {
	.name = "contact-lookup",
	.words = "TUNNEL_ID",
	.summary = "print the address and port of the initiator's access point",
	.about = "A stored contact is printed at once. If it is older than its ttl, a new one is "
		 "fetched from Transfer and stored first.",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
