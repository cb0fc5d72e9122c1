#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/auth.h"
#include "cli/cleanup.h"
#include "cli/doctor.h"
#include "cli/probe.h"
#include "cli/say.h"
#include "cli/standing.h"

#define CONNECT_S   5
#define HANDSHAKE_S 10

struct visit {
	struct doctor *doctor;
	struct environment environment;
	struct conf_view view;
	bool listener;
	bool usable; /* the tunnel is active, or we do not know */
};

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
			   "%s/%s.conf: %s: %s; run: globus-streams environment initialize --force "
			   "%s",
			   visit->environment.base, visit->environment.id, key, why,
			   visit->environment.id);
		return false;
	}
	visit->listener = visit->view.listener.port != 0;
	doctor_say(doctor, DOCTOR_OK, "conf file", "%s/%s.conf is ours alone; this is the %s side",
		   visit->environment.base, visit->environment.id,
		   visit->listener ? "listener" : "initiator");
	if (visit->view.secured)
		doctor_say(doctor, DOCTOR_OK, "LAN secret", "there is one");
	else
		doctor_say(doctor, DOCTOR_WARNING, "LAN secret",
			   "none: the LAN connection is not authenticated; to get one, run: "
			   "globus-streams environment initialize --force %s",
			   visit->environment.id);
	return true;
}

static void say_time_left(struct visit *visit)
{
	long long left = visit->view.expiration - time(NULL);
	if (!visit->view.expiration)
		doctor_say(visit->doctor, DOCTOR_WARNING, "time left", "not known");
	else if (left <= 0)
		doctor_say(visit->doctor, DOCTOR_WARNING, "time left",
			   "by this machine's clock the tunnel's time is over");
	else
		doctor_say(visit->doctor, left < 600 ? DOCTOR_WARNING : DOCTOR_OK, "time left",
			   "%lld h %02lld min", left / 3600, left / 60 % 60);
}

/* The tunnel as Transfer has it; the contact is taken from there, as a program's would be. */
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
		doctor_say(visit->doctor, DOCTOR_OK, "tunnel", "it is %s", tunnel.state);
	visit->usable = !err;
	if (!err && !visit->listener)
		visit->view.contact = contact;
	tunnel_finish(&tunnel);
}

static struct addrinfo *resolve(struct visit *visit, const struct contact *contact,
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
			   "%s has no address here (%s); check this machine's DNS", contact->host,
			   gai_strerror(code));
		return NULL;
	}
	if (getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof(address), NULL, 0,
			NI_NUMERICHOST) != 0)
		snprintf(address, sizeof(address), "%s", "an address");
	if (strcmp(address, contact->host) != 0)
		doctor_say(visit->doctor, DOCTOR_OK, what, "%s is %s", contact->host, address);
	return list;
}

static void check_authentication(struct visit *visit, int fd)
{
	const char *why = NULL;
	bool reached;
	if (!visit->view.secured)
		return;
	say_waiting("authenticating");
	int err = probe_authenticate(fd, &visit->view, HANDSHAKE_S, &why, &reached);
	if (!err || reached)
		doctor_say(visit->doctor, DOCTOR_OK, "LAN authentication",
			   "the access point and we know each other");
	if (!err)
		doctor_say(visit->doctor, DOCTOR_OK, "far side", "a program listens");
	else if (reached)
		doctor_say(visit->doctor, DOCTOR_FAILED, "far side",
			   "%s; start the program that listens, and run this on its side", why);
	else
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "LAN authentication",
			"%s; for a new secret run: globus-streams environment initialize --force "
			"%s",
			why, visit->environment.id);
}

static void check_initiator(struct visit *visit)
{
	char text[CONTACT_TEXT_MAX];
	contact_format(&visit->view.contact, text);
	if (!visit->view.contact.port) {
		doctor_say(visit->doctor, DOCTOR_FAILED, "contact",
			   "none is known; run: globus-streams environment contact-lookup %s",
			   visit->environment.id);
		return;
	}
	struct addrinfo *list = resolve(visit, &visit->view.contact, "contact");
	if (!list)
		return;
	say_waiting("calling the access point");
	cleanup_fd int fd = probe_connect(list, CONNECT_S);
	freeaddrinfo(list);
	if (fd < 0) {
		doctor_say(visit->doctor, DOCTOR_FAILED, "access point",
			   "%s does not take a connection: %s; check firewalls between here and "
			   "there, or ask its administrator",
			   text, strerror(-fd));
		return;
	}
	doctor_say(visit->doctor, DOCTOR_OK, "access point", "%s takes connections", text);
	check_authentication(visit, fd);
}

/* Whether the address is this machine's and the port free: 0, or -errno. */
static int try_bind(const struct addrinfo *list)
{
	int err = -EADDRNOTAVAIL;
	for (; list; list = list->ai_next) {
		cleanup_fd int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int one = 1;
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		err = bind(fd, list->ai_addr, list->ai_addrlen) < 0 ? -errno : 0;
		if (!err)
			return 0;
	}
	return err;
}

static void check_listener(struct visit *visit)
{
	struct doctor *doctor = visit->doctor;
	char text[CONTACT_TEXT_MAX];
	contact_format(&visit->view.listener, text);
	struct addrinfo *list = resolve(visit, &visit->view.listener, "listener contact");
	if (!list)
		return;
	say_waiting("calling the listener");
	cleanup_fd int fd = probe_connect(list, CONNECT_S);
	int err = fd < 0 ? try_bind(list) : 0;
	freeaddrinfo(list);
	if (fd >= 0)
		doctor_say(doctor, DOCTOR_OK, "listener", "a program listens at %s", text);
	else if (!err)
		doctor_say(doctor, DOCTOR_WARNING, "listener",
			   "no program listens at %s yet; the port is free; start it with: "
			   "globus-streams-run %s -- COMMAND",
			   text, visit->environment.id);
	else if (err == -EADDRNOTAVAIL)
		doctor_say(doctor, DOCTOR_FAILED, "listener",
			   "%s is not this machine's address and takes no connection (%s); set the "
			   "right one with: globus-streams environment update "
			   "--listener-contact-string HOST:PORT %s",
			   text, strerror(-fd), visit->environment.id);
	else
		doctor_say(doctor, DOCTOR_FAILED, "listener",
			   "%s takes no connection (%s), and cannot be listened at: %s", text,
			   strerror(-fd), strerror(-err));
}

void doctor_tunnel(struct doctor *doctor, const char *base_dir, const char *id, bool online)
{
	struct visit visit = {.doctor = doctor, .usable = true};
	if (environment_init(&visit.environment, doctor->cli, base_dir, id) < 0) {
		doctor_say_failure(doctor, DOCTOR_FAILED, "conf file");
	} else if (check_conf(&visit)) {
		say_time_left(&visit);
		if (online)
			check_tunnel(&visit);
		if (visit.listener)
			check_listener(&visit);
		else if (visit.usable)
			check_initiator(&visit);
	} else if (online) {
		check_tunnel(&visit);
	}
	say_waiting(NULL);
	conf_view_wipe(&visit.view);
	environment_finish(&visit.environment);
}
