#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor_tunnel.h"

/* doctor on the listener's side. */

/* Whether an address belongs to this machine and the port is free (0: any): 0, or -errno. */
static int try_bind(const struct probe_addresses *list, bool any_port)
{
	int err = -EADDRNOTAVAIL;
	for (size_t i = 0; i < list->count; i++) {
		struct sockaddr_storage address = list->items[i].address;
		cleanup_fd int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int one = 1;
		if (fd < 0)
			continue;
		if (any_port) /* at the same place for IPv4 and IPv6 */
			((struct sockaddr_in *)&address)->sin_port = 0;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		err = bind(fd, (struct sockaddr *)&address, list->items[i].len) < 0 ? -errno : 0;
		if (!err)
			return 0;
	}
	return err;
}

/* Why a program did not accept us: it has another secret, or it runs without the launcher. */
static void say_refused(struct visit *visit, const char *text, const struct probe_result *result)
{
	const char *option = visit->environment.option, *id = visit->environment.id;
	if (result->answered)
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "listener",
			"a program listens at %s under globus-streams-run, but does not have the "
			"LAN secret of this conf file (%s): the listener was initialized again, "
			"here or elsewhere, and one of the two secrets was replaced; to make this "
			"conf file the current one, run: globus-streams environment %s%s%s, and "
			"start "
			"the program again",
			text, result->why, visit->again, option, id);
	else
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "listener",
			"a program listens at %s but does not have the LAN secret (%s), as one "
			"that was started without the launcher; start it with: globus-streams-run "
			"%s%s -- COMMAND",
			text, result->why, option, id);
}

/*
 * A program listens. The access point is a client with the same secret, so we can act as one: a
 * program started by globus-streams-run accepts us.
 */
static void check_program(struct visit *visit, int fd, const char *text, long long end)
{
	struct probe_result result;
	if (!visit->view.secured) {
		doctor_say(visit->doctor, DOCTOR_OK, "listener",
			   "a program listens at %s (without LAN authentication, which program "
			   "cannot be checked)",
			   text);
		return;
	}
	say_waiting("authenticating");
	if (probe_authenticate(fd, &visit->view, end, &result) == 0)
		doctor_say(visit->doctor, DOCTOR_OK, "listener",
			   "a program listens at %s and accepts the LAN secret", text);
	else
		say_refused(visit, text, &result);
}

/* Behind a port that is forwarded, the contact is the address of the machine that forwards. */
static void check_address(struct visit *visit, const struct probe_addresses *list, const char *text)
{
	if (try_bind(list, true) == -EADDRNOTAVAIL)
		doctor_say(
			visit->doctor, DOCTOR_WARNING, "listener contact",
			"%s is not an address of this machine, so another machine has to forward "
			"connections to this one; if none does, run: globus-streams environment "
			"update --listener-contact-string HOST:PORT %s%s",
			text, visit->environment.option, visit->environment.id);
}

static void check_port(struct visit *visit, const struct probe_addresses *list, int refused,
		       const char *text)
{
	struct doctor *doctor = visit->doctor;
	int err = try_bind(list, false);
	if (!err)
		doctor_say(doctor, DOCTOR_WARNING, "listener",
			   "no program listens at %s yet (the port is free); start it with: "
			   "globus-streams-run %s%s -- COMMAND",
			   text, visit->environment.option, visit->environment.id);
	else if (err == -EADDRNOTAVAIL)
		doctor_say(doctor, DOCTOR_FAILED, "listener",
			   "%s is not an address of this machine and accepts no connection (%s); "
			   "set the right one with: globus-streams environment update "
			   "--listener-contact-string HOST:PORT %s%s",
			   text, strerror(-refused), visit->environment.option,
			   visit->environment.id);
	else
		doctor_say(
			doctor, DOCTOR_FAILED, "listener",
			"%s accepts no connection (%s), and no program can listen there: %s; end "
			"the program that has the port, or choose another contact",
			text, strerror(-refused), strerror(-err));
}

/* What the access point met when it connected last: the only way to know its secret is ours. */
static void check_last_error(struct visit *visit)
{
	cleanup_free char *said = visit->online ? doctor_last_error(visit) : NULL;
	if (said && strstr(said, "did not authenticate"))
		doctor_say(
			visit->doctor, DOCTOR_WARNING, "access point",
			"its last error: %s; if the listener was initialized again elsewhere, "
			"this conf file's LAN secret was replaced: run: globus-streams environment "
			"%s%s%s, and start the program again",
			said, visit->again, visit->environment.option, visit->environment.id);
	else if (said)
		doctor_say(visit->doctor, DOCTOR_OK, "access point", "its last error: %s", said);
}

void doctor_listener(struct visit *visit)
{
	char text[CONTACT_TEXT_MAX];
	struct probe_addresses list;
	long long end = clock_ms() + DOCTOR_REACH_S * 1000LL;
	if (!visit->view.listener.port) {
		doctor_say(visit->doctor, DOCTOR_FAILED, "listener contact",
			   "no contact is stored; set it with: globus-streams environment update "
			   "--listener-contact-string HOST:PORT %s%s",
			   visit->environment.option, visit->environment.id);
		return;
	}
	contact_format(&visit->view.listener, text);
	if (!doctor_resolve(visit, &visit->view.listener, "listener contact", end, &list))
		return;
	say_waiting("connecting to the listener");
	cleanup_fd int fd = probe_connect(&list, end);
	if (fd >= 0) {
		check_address(visit, &list, text);
		check_program(visit, fd, text, end);
	} else {
		check_port(visit, &list, fd, text);
	}
	check_last_error(visit);
}
