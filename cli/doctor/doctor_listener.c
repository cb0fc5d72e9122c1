#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor_tunnel.h"
#include "cli/doctor/probe.h"

/* doctor on the listener's side. */

#define PROGRAM_S 3 /* for a local program to authenticate */

/* Whether the address belongs to this machine and the port is free: 0, or -errno. */
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

/*
 * A program listens. The access point is a client with the same secret, so we can act as one: a
 * program started by globus-streams-run accepts us.
 */
static void check_program(struct visit *visit, int fd, const char *text)
{
	const char *why = NULL;
	bool reached;
	if (!visit->view.secured) {
		doctor_say(visit->doctor, DOCTOR_OK, "listener",
			   "a program listens at %s (without LAN authentication, which program "
			   "cannot be checked)",
			   text);
		return;
	}
	say_waiting("authenticating");
	if (probe_authenticate(fd, &visit->view, PROGRAM_S, &why, &reached) == 0)
		doctor_say(visit->doctor, DOCTOR_OK, "listener",
			   "a program listens at %s and accepts the LAN secret", text);
	else
		doctor_say(visit->doctor, DOCTOR_FAILED, "listener",
			   "a program listens at %s but does not have the LAN secret (%s); start "
			   "it with: globus-streams-run %s%s -- COMMAND",
			   text, why, visit->environment.option, visit->environment.id);
}

void doctor_listener(struct visit *visit)
{
	struct doctor *doctor = visit->doctor;
	char text[CONTACT_TEXT_MAX];
	if (!visit->view.listener.port) {
		doctor_say(doctor, DOCTOR_FAILED, "listener contact",
			   "no contact is stored; set it with: globus-streams environment update "
			   "--listener-contact-string HOST:PORT %s%s",
			   visit->environment.option, visit->environment.id);
		return;
	}
	contact_format(&visit->view.listener, text);
	struct addrinfo *list = doctor_resolve(visit, &visit->view.listener, "listener contact");
	if (!list)
		return;
	say_waiting("connecting to the listener");
	cleanup_fd int fd = probe_connect(list, DOCTOR_CONNECT_S);
	int err = fd < 0 ? try_bind(list) : 0;
	freeaddrinfo(list);
	if (fd >= 0)
		check_program(visit, fd, text);
	else if (!err)
		doctor_say(doctor, DOCTOR_WARNING, "listener",
			   "no program listens at %s yet (the port is free); start it with: "
			   "globus-streams-run %s%s -- COMMAND",
			   text, visit->environment.option, visit->environment.id);
	else if (err == -EADDRNOTAVAIL)
		doctor_say(doctor, DOCTOR_FAILED, "listener",
			   "%s is not an address of this machine and accepts no connection (%s); "
			   "set the right one with: globus-streams environment update "
			   "--listener-contact-string HOST:PORT %s%s",
			   text, strerror(-fd), visit->environment.option, visit->environment.id);
	else
		doctor_say(doctor, DOCTOR_FAILED, "listener",
			   "%s accepts no connection (%s), and no program can listen there: %s",
			   text, strerror(-fd), strerror(-err));
}
