#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor_tunnel.h"

/* doctor on the initiator's side: the access point, and what lies behind it. */

#define SILENCE_MS 1000

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
			   "environment %s%s%s",
			   visit->again, visit->environment.option, visit->environment.id);
	else
		doctor_say(visit->doctor, DOCTOR_WARNING, "far side",
			   "the access point keeps a connection without a secret open, but whether "
			   "a program answers at the far end cannot be tested from here");
}

/* What is behind a STATUS code, or behind silence after CHALLENGE. */
static const char *cause_of(int code)
{
	switch (code) {
	case LAN_AUTH_NOT_ACTIVE:
		return "the tunnel is not active at the access point: start or initialize the "
		       "listener side, or create a new tunnel if it has ended";
	case LAN_AUTH_BUSY:
		return "the access point has too many connections; try again later, or ask its "
		       "administrator";
	case LAN_AUTH_UNREACHABLE:
		return "no program listens at the listener's contact, or the one there refuses the "
		       "access point; start it with globus-streams-run, and run doctor on the "
		       "listener side";
	default:
		return "a program that listens without globus-streams-run does not authenticate, "
		       "and a firewall in front of the listener stays silent too; start the "
		       "listening program with globus-streams-run, and run doctor on the listener "
		       "side";
	}
}

static void say_far(struct visit *visit, const struct probe_result *result)
{
	cleanup_free char *said = NULL;
	if (visit->online && result->code == LAN_AUTH_UNREACHABLE)
		said = doctor_last_error(visit);
	bool replaced = said && (strstr(said, "unknown key") || strstr(said, "LAN secret"));
	bool refuses = said && strstr(said, "did not authenticate");
	if (said)
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "far side", "%s: %s; %s", result->why, said,
			replaced  ? "the program that listens has another LAN secret than its "
				    "access point: the listener was initialized again since it was "
				    "started; start it again, with the newest conf file"
			: refuses ? "a program listens, but does not authenticate; start it with "
				    "globus-streams-run, and run doctor on the listener side"
				  : "start the listening program, and run doctor on the listener "
				    "side");
	else
		doctor_say(visit->doctor, DOCTOR_FAILED, "far side", "%s: %s",
			   result->reached ? result->why
					   : "the access point knows this conf file's key, but the "
					     "far side has not answered within 5 s",
			   cause_of(result->code));
}

/* The access point itself does not accept us. */
static void say_refused(struct visit *visit, const struct probe_result *result, bool silent)
{
	if (silent)
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "LAN authentication",
			"authentication with the access point failed: %s within %d s, so it hangs, "
			"or is no access point; ask its administrator",
			result->why, DOCTOR_REACH_S);
	else
		doctor_say(visit->doctor, DOCTOR_FAILED, "LAN authentication",
			   "authentication with the access point failed: %s%s; for a new secret, "
			   "run: globus-streams environment %s%s%s",
			   result->why,
			   result->code == LAN_AUTH_UNKNOWN_KEY
				   ? ": this conf file's LAN secret was replaced or deleted there"
				   : "",
			   visit->again, visit->environment.option, visit->environment.id);
}

static void check_authentication(struct visit *visit, int fd, long long end)
{
	struct probe_result result;
	if (!visit->view.secured) {
		check_silence(visit, fd);
		return;
	}
	say_waiting("authenticating");
	int err = probe_authenticate(fd, &visit->view, end, &result);
	/* STATUS 5 is a time-out too, but one that the access point reports. */
	bool silent = err == -ETIMEDOUT && result.code < 0;
	if (!err || result.reached)
		doctor_say(visit->doctor, DOCTOR_OK, "LAN authentication",
			   "mutual authentication with the access point succeeded");
	if (!err)
		doctor_say(visit->doctor, DOCTOR_OK, "far side", "a program listens");
	else if (result.reached || (silent && result.challenged))
		say_far(visit, &result);
	else
		say_refused(visit, &result, silent);
}

static void say_unconnected(struct visit *visit, const char *text, int err)
{
	if (err == ECONNREFUSED)
		doctor_say(visit->doctor, DOCTOR_FAILED, "access point",
			   "cannot connect to %s: %s: nothing listens at that port, so the access "
			   "point is down, or the contact is an old one; run: globus-streams "
			   "environment update %s%s, or ask the access point's administrator",
			   text, strerror(err), visit->environment.option, visit->environment.id);
	else if (err == ETIMEDOUT)
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "access point",
			"cannot connect to %s: no answer within %d s, so a firewall in between "
			"drops the connection, or the machine is down; check the firewalls, or ask "
			"the access point's administrator",
			text, DOCTOR_REACH_S);
	else
		doctor_say(visit->doctor, DOCTOR_FAILED, "access point",
			   "cannot connect to %s: %s; check the firewalls in between, or ask the "
			   "access point's administrator",
			   text, strerror(err));
}

void doctor_access_point(struct visit *visit)
{
	char text[CONTACT_TEXT_MAX];
	struct probe_addresses list;
	long long end = clock_ms() + DOCTOR_REACH_S * 1000LL;
	contact_format(&visit->view.contact, text);
	if (!visit->view.contact.port) {
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "contact",
			"no contact is known; run: globus-streams environment contact-lookup %s%s",
			visit->environment.option, visit->environment.id);
		return;
	}
	if (!doctor_resolve(visit, &visit->view.contact, "contact", end, &list))
		return;
	say_waiting("connecting to the access point");
	cleanup_fd int fd = probe_connect(&list, end);
	if (fd < 0) {
		say_unconnected(visit, text, -fd);
		return;
	}
	doctor_say(visit->doctor, DOCTOR_OK, "access point", "%s accepts connections", text);
	check_authentication(visit, fd, end);
}
