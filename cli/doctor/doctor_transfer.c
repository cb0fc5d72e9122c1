#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/doctor/doctor_tunnel.h"
#include "cli/environment/environment_lan.h"
#include "cli/service/json.h"
#include "cli/service/standing.h"

/* doctor: one tunnel as Transfer and the access point's manager have it. */

/* Whether two contacts mean the same address and port. */
static bool is_same(const struct contact *one, const struct contact *other)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *a = NULL, *b = NULL;
	bool same = strcmp(one->host, other->host) == 0;
	if (!same && getaddrinfo(one->host, NULL, &hints, &a) == 0 &&
	    getaddrinfo(other->host, NULL, &hints, &b) == 0)
		same = a->ai_addrlen == b->ai_addrlen &&
		       memcmp(a->ai_addr, b->ai_addr, a->ai_addrlen) == 0;
	if (a)
		freeaddrinfo(a);
	if (b)
		freeaddrinfo(b);
	return same && one->port == other->port;
}

/* Compare the listener contact that Transfer has with that of the conf file. */
static void check_listener_contact(struct visit *visit, const struct tunnel *tunnel)
{
	struct contact called;
	char theirs[CONTACT_TEXT_MAX], ours[CONTACT_TEXT_MAX];
	if (standing_listener(visit->doctor->cli, tunnel, &called) < 0) {
		doctor_say_failure(visit->doctor, DOCTOR_FAILED, "stored contact");
		return;
	}
	if (!called.port || !visit->view.listener.port)
		return;
	contact_format(&called, theirs);
	contact_format(&visit->view.listener, ours);
	if (is_same(&called, &visit->view.listener))
		doctor_say(visit->doctor, DOCTOR_OK, "stored contact",
			   "Transfer has the same listener contact, %s", theirs);
	else
		doctor_say(visit->doctor, DOCTOR_FAILED, "stored contact",
			   "Transfer has the listener contact %s, but the conf file has %s; run: "
			   "globus-streams environment update --listener-contact-string %s %s%s",
			   theirs, ours, ours, visit->environment.option, visit->environment.id);
}

/* Compare the contact of the access point that the conf file has with that of Transfer. */
static void check_contact(struct visit *visit, const struct contact *now)
{
	char theirs[CONTACT_TEXT_MAX], ours[CONTACT_TEXT_MAX];
	const struct conf_view *view = &visit->view;
	if (!view->contact.port || !now->port)
		return;
	contact_format(now, theirs);
	contact_format(&view->contact, ours);
	bool fresh = time(NULL) - view->update_time < view->ttl;
	if (is_same(now, &view->contact))
		doctor_say(visit->doctor, DOCTOR_OK, "stored contact",
			   "Transfer has the same contact for the access point, %s", theirs);
	else
		doctor_say(visit->doctor, fresh ? DOCTOR_FAILED : DOCTOR_WARNING, "stored contact",
			   "Transfer has %s for the access point, but the conf file has %s%s; run: "
			   "globus-streams environment update %s%s",
			   theirs, ours, fresh ? ", to which programs connect first" : "",
			   visit->environment.option, visit->environment.id);
}

/* Whether the conf's secret goes with what the access point speaks. */
static void judge_lan(struct visit *visit, enum lan_kind kind, const char *words)
{
	bool secured = visit->view.secured;
	const char *option = visit->environment.option, *id = visit->environment.id;
	if (kind == LAN_OURS && secured)
		doctor_say(visit->doctor, DOCTOR_OK, "LAN format", "%s", words);
	else if (kind == LAN_OURS)
		doctor_say(visit->doctor, DOCTOR_WARNING, "LAN format",
			   "%s, but this conf file does without; to get a secret, run: "
			   "globus-streams environment %s%s%s",
			   words, visit->again, option, id);
	else if (kind == LAN_REQUIRED)
		doctor_say(visit->doctor, DOCTOR_FAILED, "LAN format",
			   "%s, so that connections fail; ask its administrator to turn off "
			   "lan_secret_required, or run the program with Globus's own tools",
			   words);
	else if (secured)
		doctor_say(visit->doctor, DOCTOR_FAILED, "LAN format",
			   "%s, but this conf file has a secret of ours (lan_auth=v1), so that "
			   "connections fail; run: globus-streams environment %s--insecure %s%s",
			   words, visit->again, option, id);
	else if (kind == LAN_OPEN)
		doctor_say(visit->doctor, DOCTOR_OK, "LAN format", "%s", words);
	else
		doctor_say(visit->doctor, DOCTOR_WARNING, "LAN format",
			   "%s; if connections fail, ask its administrator", words);
}

/* Which LAN authentication our access point speaks. */
static void check_lan(struct visit *visit, const struct tunnel *tunnel)
{
	struct cli *cli = visit->doctor->cli;
	const char *id = visit->listener ? tunnel->listener_ap : tunnel->initiator_ap;
	const char *endpoint = conf_get(&visit->environment.conf, CONF_ENDPOINT_ID);
	struct access_point point = {0};
	cleanup_free char *why = NULL, *words = NULL;
	enum lan_kind kind;
	doctor_ask("asking the GCS Manager");
	if (!endpoint && transfer_access_point(cli, id, &point) == 0)
		endpoint = point.endpoint;
	if (endpoint && gcs_lan_kind(cli, endpoint, id, &kind, &why) == 0 &&
	    (words = environment_lan_words(kind, id, why)))
		judge_lan(visit, kind, words);
	else if (cli->failure.text)
		doctor_say_failure(visit->doctor, DOCTOR_WARNING, "LAN format");
	failure_finish(&cli->failure);
	access_point_finish(&point);
}

/* Why the tunnel cannot be used; cli->failure says it. */
static void say_unusable(struct visit *visit)
{
	if (visit->doctor->cli->failure.http == 404)
		failure_prefix(&visit->doctor->cli->failure,
			       "the tunnel was deleted, or never existed: ");
	doctor_say_failure(visit->doctor, DOCTOR_FAILED, "tunnel");
	visit->usable = false;
}

void doctor_transfer(struct visit *visit)
{
	struct cli *cli = visit->doctor->cli;
	struct tunnel tunnel;
	struct contact contact;
	doctor_ask("asking Transfer");
	if (transfer_tunnel(cli, visit->environment.id, &tunnel) < 0) {
		say_unusable(visit);
		return;
	}
	int err = standing_initiator(cli, &tunnel, &contact);
	if (!err && !(standing_active(&tunnel) && contact.port))
		err = standing_explain(cli, &tunnel);
	if (err)
		say_unusable(visit);
	else
		doctor_say(visit->doctor, DOCTOR_OK, "tunnel", "the tunnel is %s", tunnel.state);
	if (visit->environment.conf.count && visit->listener)
		check_listener_contact(visit, &tunnel);
	else if (visit->environment.conf.count && !err)
		check_contact(visit, &contact);
	if (!err && !visit->listener)
		visit->view.contact = contact;
	if (visit->environment.conf.count && !standing_ended(&tunnel))
		check_lan(visit, &tunnel);
	tunnel_finish(&tunnel);
}

/* The newest of the events. */
static const cJSON *newest(const cJSON *events)
{
	const cJSON *item, *found = NULL;
	double most = -1;
	cJSON_ArrayForEach(item, events)
	{
		const cJSON *id = json_at(item, "id");
		if (cJSON_IsNumber(id) && id->valuedouble > most) {
			most = id->valuedouble;
			found = item;
		}
	}
	return found;
}

char *doctor_last_error(struct visit *visit)
{
	struct cli *cli = visit->doctor->cli;
	char path[128], *words = NULL;
	cJSON *events = NULL;
	snprintf(path, sizeof(path), "/v2/tunnels/%s/events", visit->environment.id);
	doctor_ask("asking Transfer");
	if (transfer_list(cli, path, "the tunnel's events", &events) < 0) {
		failure_finish(&cli->failure);
		return NULL;
	}
	const cJSON *last = newest(events);
	const char *said = json_text(last, "attributes.details");
	if (!said)
		said = json_text(last, "attributes.description");
	if (!said)
		said = json_text(last, "attributes.code");
	if (said && cJSON_IsTrue(json_at(last, "attributes.is_error")) &&
	    asprintf(&words, "%.300s", said) < 0)
		words = NULL;
	cJSON_Delete(events);
	return words;
}
