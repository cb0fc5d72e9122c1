#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor_tunnel.h"
#include "cli/doctor/probe.h"
#include "cli/service/auth.h"
#include "cli/service/standing.h"

#define HANDSHAKE_S 10
#define SILENCE_MS  1000

static bool check_conf(struct visit *visit)
{
	struct doctor *doctor = visit->doctor;
	const char *key, *why;
	if (environment_read(&visit->environment, doctor->cli) < 0) {
		doctor_say_failure(doctor, DOCTOR_FAILED, "conf file");
		return false;
	}
	if (conf_view(&visit->environment.conf, &visit->view, &key, &why) < 0) {
		doctor_say(doctor, DOCTOR_FAILED, "conf file",
			   "%s/%s.conf: %s %s; run: globus-streams environment initialize --force "
			   "%s%s",
			   visit->environment.base, visit->environment.id, key, why,
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
	else if (conf_get(conf, CONF_LANKEY_ID))
		doctor_say(visit->doctor, DOCTOR_FAILED, "LAN secret",
			   "the conf file has a lankey_id but no lankey: the access point requires "
			   "a secret that is lost; run: globus-streams environment initialize "
			   "--force %s%s",
			   option, id);
	else
		doctor_say(visit->doctor, DOCTOR_WARNING, "LAN secret",
			   "none: the LAN connection is not authenticated; to get one, run: "
			   "globus-streams environment initialize --force %s%s",
			   option, id);
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
	say_waiting("asking Auth");
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
	say_waiting("testing the launcher");
	int status = doctor_try_launcher(visit->environment.base, visit->environment.id, &said);
	if (status == 0 && !said)
		doctor_say(visit->doctor, DOCTOR_OK, "launch", "a command runs in this tunnel");
	else
		doctor_say(visit->doctor, status ? DOCTOR_FAILED : DOCTOR_WARNING, "launch",
			   "a command %s in this tunnel: %s", status ? "does not run" : "runs",
			   said ? said : "no reason given");
}

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

/* The tunnel as Transfer has it. The contact is taken from there, as a launch would do. */
static void check_tunnel(struct visit *visit)
{
	struct cli *cli = visit->doctor->cli;
	struct tunnel tunnel;
	struct contact contact;
	say_waiting("asking Transfer");
	if (transfer_tunnel(cli, visit->environment.id, &tunnel) < 0) {
		doctor_say_failure(visit->doctor, DOCTOR_FAILED, "tunnel");
		visit->usable = false;
		return;
	}
	int err = standing_initiator(cli, &tunnel, &contact);
	if (!err && !(standing_active(&tunnel) && contact.port))
		err = standing_explain(cli, &tunnel);
	if (err)
		doctor_say_failure(visit->doctor, DOCTOR_FAILED, "tunnel");
	else
		doctor_say(visit->doctor, DOCTOR_OK, "tunnel", "the tunnel is %s", tunnel.state);
	visit->usable = !err;
	if (!err && !visit->listener)
		visit->view.contact = contact;
	if (visit->listener)
		check_listener_contact(visit, &tunnel);
	tunnel_finish(&tunnel);
}

struct addrinfo *doctor_resolve(struct visit *visit, const struct contact *contact,
				const char *what)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char port[8], address[NI_MAXHOST];
	snprintf(port, sizeof(port), "%u", contact->port);
	say_waiting("resolving a name");
	int code = getaddrinfo(contact->host, port, &hints, &list);
	if (code) {
		doctor_say(visit->doctor, DOCTOR_FAILED, what,
			   "cannot resolve %s: %s; check this machine's DNS", contact->host,
			   gai_strerror(code));
		return NULL;
	}
	if (getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof(address), NULL, 0,
			NI_NUMERICHOST) != 0)
		snprintf(address, sizeof(address), "%s", "an address");
	if (strcmp(address, contact->host) != 0)
		doctor_say(visit->doctor, DOCTOR_OK, what, "%s resolves to %s", contact->host,
			   address);
	return list;
}

/* Without a secret there is nothing to send; an access point that refuses us closes the
 * connection. */
static void check_silence(struct visit *visit, int fd)
{
	struct pollfd end = {.fd = fd, .events = POLLIN | POLLRDHUP};
	char byte;
	say_waiting("waiting for the access point");
	if (poll(&end, 1, SILENCE_MS) > 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		doctor_say(visit->doctor, DOCTOR_FAILED, "far side",
			   "the access point closes a connection that does not authenticate; start "
			   "the listening program, or get a secret with: globus-streams "
			   "environment initialize --force %s%s",
			   visit->environment.option, visit->environment.id);
	else
		doctor_say(visit->doctor, DOCTOR_WARNING, "far side",
			   "the access point keeps a connection without a secret open, but whether "
			   "a program answers at the far end cannot be tested from here");
}

static void check_authentication(struct visit *visit, int fd)
{
	const char *why = NULL;
	bool reached;
	if (!visit->view.secured) {
		check_silence(visit, fd);
		return;
	}
	say_waiting("authenticating");
	int err = probe_authenticate(fd, &visit->view, HANDSHAKE_S, &why, &reached);
	if (!err || reached)
		doctor_say(visit->doctor, DOCTOR_OK, "LAN authentication",
			   "mutual authentication with the access point succeeded");
	if (!err)
		doctor_say(visit->doctor, DOCTOR_OK, "far side", "a program listens");
	else if (reached)
		doctor_say(visit->doctor, DOCTOR_FAILED, "far side",
			   "%s; start the listening program, and run doctor on the listener side",
			   why);
	else
		doctor_say(visit->doctor, DOCTOR_FAILED, "LAN authentication",
			   "authentication with the access point failed: %s; for a new secret, "
			   "run: globus-streams environment initialize --force %s%s",
			   why, visit->environment.option, visit->environment.id);
}

static void check_initiator(struct visit *visit)
{
	char text[CONTACT_TEXT_MAX];
	contact_format(&visit->view.contact, text);
	if (!visit->view.contact.port) {
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "contact",
			"no contact is known; run: globus-streams environment contact-lookup %s%s",
			visit->environment.option, visit->environment.id);
		return;
	}
	struct addrinfo *list = doctor_resolve(visit, &visit->view.contact, "contact");
	if (!list)
		return;
	say_waiting("connecting to the access point");
	cleanup_fd int fd = probe_connect(list, DOCTOR_CONNECT_S);
	freeaddrinfo(list);
	if (fd < 0) {
		doctor_say(visit->doctor, DOCTOR_FAILED, "access point",
			   "cannot connect to %s: %s; check the firewalls in between, or ask the "
			   "access point's administrator",
			   text, strerror(-fd));
		return;
	}
	doctor_say(visit->doctor, DOCTOR_OK, "access point", "%s accepts connections", text);
	check_authentication(visit, fd);
}

void doctor_tunnel(struct doctor *doctor, const char *base_dir, const char *id, bool online)
{
	struct visit visit = {.doctor = doctor, .usable = true};
	if (environment_init(&visit.environment, doctor->cli, base_dir, id) < 0) {
		doctor_say_failure(doctor, DOCTOR_FAILED, "conf file");
	} else if (check_conf(&visit)) {
		check_secret(&visit);
		say_time_left(&visit);
		check_launch(&visit);
		if (online)
			check_manager_token(&visit);
		if (online)
			check_tunnel(&visit);
		if (visit.listener)
			doctor_listener(&visit);
		else if (visit.usable)
			check_initiator(&visit);
	} else if (online) {
		check_tunnel(&visit);
	}
	say_waiting(NULL);
	conf_view_wipe(&visit.view);
	environment_finish(&visit.environment);
}
