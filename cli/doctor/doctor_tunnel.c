#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor_tunnel.h"
#include "cli/service/auth.h"

/* Initializing again replaces the conf file, so that it needs the same contacts. */
static char *again(const struct conf *conf)
{
	const char *listener = conf_get(conf, CONF_LISTENER_CONTACT);
	const char *mapped = conf_get(conf, CONF_GLOBUS_CONTACT);
	char *words = NULL;
	size_t size;
	FILE *out = open_memstream(&words, &size);
	if (!out)
		return NULL;
	fprintf(out, "initialize --force ");
	if (listener)
		fprintf(out, "--listener-contact-string %s ", listener);
	while (mapped && *mapped) {
		mapped += strspn(mapped, ", ");
		int len = (int)strcspn(mapped, ", ");
		if (len)
			fprintf(out, "--globus-contact %.*s ", len, mapped);
		mapped += len;
	}
	fclose(out);
	return words;
}

/* A secret of which only the id is left is said to be so. */
static bool has_lost_secret(struct visit *visit)
{
	const struct conf *conf = &visit->environment.conf;
	if (conf_get(conf, CONF_LANKEY) || !conf_get(conf, CONF_LANKEY_ID))
		return false;
	doctor_say(
		visit->doctor, DOCTOR_FAILED, "LAN secret",
		"the conf file has a lankey_id but no lankey: the access point requires a secret "
		"that is lost; run: globus-streams environment %s%s%s",
		visit->again, visit->environment.option, visit->environment.id);
	return true;
}

static bool check_conf(struct visit *visit)
{
	struct doctor *doctor = visit->doctor;
	const char *key, *why;
	if (environment_read(&visit->environment, doctor->cli) < 0) {
		doctor_say_failure(doctor, DOCTOR_FAILED, "conf file");
		return false;
	}
	visit->again = again(&visit->environment.conf);
	if (!visit->again) {
		failure_memory(&doctor->cli->failure);
		doctor_say_failure(doctor, DOCTOR_FAILED, "conf file");
		return false;
	}
	if (conf_view(&visit->environment.conf, &visit->view, &key, &why) < 0) {
		if (has_lost_secret(visit))
			return false;
		doctor_say(doctor, DOCTOR_FAILED, "conf file",
			   "%s/%s.conf: %s %s; run: globus-streams environment %s%s%s",
			   visit->environment.base, visit->environment.id, key, why, visit->again,
			   visit->environment.option, visit->environment.id);
		return false;
	}
	visit->listener = environment_is_listener(&visit->environment);
	doctor_say(doctor, DOCTOR_OK, "conf file",
		   "%s/%s.conf is readable only by you; this is the %s side",
		   visit->environment.base, visit->environment.id,
		   visit->listener ? "listener" : "initiator");
	if (!visit->listener)
		doctor_say(doctor, DOCTOR_OK, "contact string", "programs connect to globus.%s:%u",
			   visit->environment.id, environment_fake_port(&visit->environment));
	return true;
}

/* Only whether it exists: whether it is correct is tested later, where a peer can be asked. */
static void check_secret(struct visit *visit)
{
	const struct conf *conf = &visit->environment.conf;
	const char *id = visit->environment.id, *option = visit->environment.option;
	if (visit->view.secured)
		doctor_say(visit->doctor, DOCTOR_OK, "LAN secret",
			   "the conf file has a LAN secret%s",
			   visit->listener ? " (whether the access point has the same one cannot "
					     "be tested from here: the first connection shows it)"
					   : "");
	else if (conf_get(conf, CONF_LANKEY))
		doctor_say(visit->doctor, DOCTOR_WARNING, "LAN secret",
			   "the conf file has a LAN secret, but lan_auth=none disables it");
	else if (has_lost_secret(visit))
		return;
	else if (conf_get(conf, CONF_LAN_AUTH) && !strcmp(conf_get(conf, CONF_LAN_AUTH), "none"))
		doctor_say(visit->doctor, DOCTOR_WARNING, "LAN secret",
			   "none (lan_auth=none): the LAN connection is not authenticated; whether "
			   "the access point could do it, the line about the LAN format says");
	else
		doctor_say(visit->doctor, DOCTOR_WARNING, "LAN secret",
			   "none: the LAN connection is not authenticated; to get one, run: "
			   "globus-streams environment %s%s%s",
			   visit->again, option, id);
}

static void say_time_left(struct visit *visit)
{
	long long left = visit->view.expiration - time(NULL);
	if (!visit->view.expiration)
		doctor_say(visit->doctor, DOCTOR_WARNING, "time left", "not known");
	else if (left <= 0)
		doctor_say(visit->doctor, DOCTOR_WARNING, "time left",
			   "the time in the conf file has passed, by this machine's clock, so each "
			   "launch asks Transfer whether the tunnel has ended; to store its end, "
			   "run: globus-streams environment update %s%s",
			   visit->environment.option, visit->environment.id);
	else
		doctor_say(visit->doctor, left < 600 ? DOCTOR_WARNING : DOCTOR_OK, "time left",
			   "%lld h %02lld min", left / 3600, left / 60 % 60);
}

/* A new secret, and deleting the old one, need a token for the endpoint's GCS Manager. */
static void check_manager_token(struct visit *visit)
{
	struct cli *cli = visit->doctor->cli;
	const char *endpoint = conf_get(&visit->environment.conf, CONF_ENDPOINT_ID);
	uint8_t bytes[UUID_BYTES];
	if (!endpoint || uuid_parse(endpoint, bytes) < 0)
		return;
	cleanup_free char *scope = auth_endpoint_scope(endpoint);
	cleanup_wipe char *token = NULL;
	doctor_ask("asking Auth");
	if (scope && auth_token(cli, endpoint, scope, NULL, &token) == 0)
		doctor_say(visit->doctor, DOCTOR_OK, "GCS Manager",
			   "a token for the GCS Manager of endpoint %s is available", endpoint);
	else
		doctor_say_failure(visit->doctor, DOCTOR_WARNING, "GCS Manager");
}

/* The real launcher, with this tunnel's conf file. */
static void check_launch(struct visit *visit)
{
	cleanup_free char *said = NULL;
	if (visit->doctor->inside)
		return;
	say_waiting("testing the launcher");
	int status = doctor_try_launcher(visit->environment.base, visit->environment.id,
					 (const char *[]){"--version", NULL}, -1, &said);
	if (status == 0 && !said)
		doctor_say(visit->doctor, DOCTOR_OK, "launch", "a command runs in this tunnel");
	else
		doctor_say(visit->doctor, status ? DOCTOR_FAILED : DOCTOR_WARNING, "launch",
			   "a command %s in this tunnel: %s", status ? "does not run" : "runs",
			   said ? said : "no reason given");
}

size_t doctor_resolve(struct visit *visit, const struct contact *contact, const char *what,
		      long long end, struct probe_addresses *list)
{
	char address[NI_MAXHOST];
	say_waiting("resolving a name");
	probe_resolve(contact, end, list);
	if (list->code || !list->count) {
		doctor_say(visit->doctor, DOCTOR_FAILED, what,
			   "cannot resolve %s: %s; check this machine's DNS", contact->host,
			   gai_strerror(list->code));
		return 0;
	}
	probe_text(list, address, sizeof(address));
	if (strcmp(address, contact->host) != 0)
		doctor_say(visit->doctor, DOCTOR_OK, what, "%s resolves to %s", contact->host,
			   address);
	return list->count;
}

/* All that the conf file is needed for. */
static void check_environment(struct visit *visit)
{
	check_secret(visit);
	say_time_left(visit);
	check_launch(visit);
	doctor_names(visit);
	if (visit->online)
		check_manager_token(visit);
	if (visit->online)
		doctor_transfer(visit);
	if (visit->listener)
		doctor_listener(visit);
	else if (visit->usable)
		doctor_access_point(visit);
}

void doctor_tunnel(struct doctor *doctor, const char *base_dir, const char *id, bool online)
{
	struct visit visit = {.doctor = doctor, .online = online, .usable = true};
	if (environment_init(&visit.environment, doctor->cli, base_dir, id) < 0)
		doctor_say_failure(doctor, DOCTOR_FAILED, "conf file");
	else if (check_conf(&visit))
		check_environment(&visit);
	else if (online)
		doctor_transfer(&visit);
	say_waiting(NULL);
	free(visit.again);
	conf_view_wipe(&visit.view);
	environment_finish(&visit.environment);
}
