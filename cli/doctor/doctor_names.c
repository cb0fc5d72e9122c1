#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor_tunnel.h"

/*
 * doctor: what a program in the tunnel gets for the tunnel's names. This program is run through the
 * launcher, with the word __resolve, and resolves them as any other does.
 */

#define ANSWER_MAX 8192

int doctor_print_addresses(char *const *names)
{
	for (; *names; names++) {
		struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
		char address[NI_MAXHOST] = "-";
		int code = getaddrinfo(*names, NULL, &hints, &list);
		if (!code)
			getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof(address), NULL,
				    0, NI_NUMERICHOST);
		printf("%s %s%s%s\n", *names, address, code ? " " : "",
		       code ? gai_strerror(code) : "");
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

/* Whether the launcher gave that address to a name: globus-streams-run(1). */
static bool is_virtual(const char *text)
{
	struct in_addr address;
	struct in6_addr six;
	if (inet_pton(AF_INET, text, &address) == 1)
		return (ntohl(address.s_addr) & 0xfffe0000u) == 0xc6120000u;
	return inet_pton(AF_INET6, text, &six) == 1 &&
	       memcmp(six.s6_addr, "\xfd\x47\x53\x47\x4c\x53", 6) == 0;
}

/* What the answer says about a name, up to the end of its line; NULL: nothing. */
static const char *find(const char *answer, const char *name)
{
	size_t len = strlen(name);
	while (answer && *answer) {
		if (strncmp(answer, name, len) == 0 && answer[len] == ' ')
			return answer + len + 1;
		answer = strchr(answer, '\n');
		answer = answer ? answer + 1 : NULL;
	}
	return NULL;
}

/* A mapped address needs no name: connections to it are seen by what they lead to. */
static bool is_number(const char *host)
{
	uint8_t bytes[16];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static void judge(struct visit *visit, const char *what, const char *name, const char *answer)
{
	const char *found = find(answer, name);
	cleanup_free char *address = found ? strndup(found, strcspn(found, "\n")) : NULL;
	if (is_number(name))
		doctor_say(visit->doctor, DOCTOR_OK, what, "connections to it go into the tunnel");
	else if (address && is_virtual(address))
		doctor_say(visit->doctor, DOCTOR_OK, what, "%s resolves to the tunnel (%s)", name,
			   address);
	else if (address && *address != '-')
		doctor_say(
			visit->doctor, DOCTOR_FAILED, what,
			"under globus-streams-run, %s resolves to %s, which does not lead into the "
			"tunnel; see the line about the shim, or add --hosts to globus-streams-run",
			name, address);
	else
		doctor_say(
			visit->doctor, DOCTOR_FAILED, what,
			"under globus-streams-run, %s does not resolve: %s; see the line about the "
			"shim, or add --hosts to globus-streams-run",
			name, address ? address + 1 + (address[1] == ' ') : "no answer");
}

/* The words for this program: __resolve, the tunnel's name, the mapped ones, NULL. */
static void fill(const struct visit *visit, const char *own, const char **words)
{
	*words++ = "__resolve";
	*words++ = own;
	for (size_t i = 0; i < visit->view.mapped_count; i++)
		*words++ = visit->view.mapped[i].host;
	*words = NULL;
}

void doctor_names(struct visit *visit)
{
	char own[64], answer[ANSWER_MAX] = "", contact[CONTACT_TEXT_MAX];
	const char *words[CONF_MAPPED_MAX + 3];
	cleanup_free char *said = NULL;
	cleanup_fd int out = memfd_create("addresses", MFD_CLOEXEC);
	if (visit->listener || visit->doctor->inside || out < 0)
		return;
	snprintf(own, sizeof(own), "globus.%s", visit->environment.id);
	fill(visit, own, words);
	say_waiting("resolving the tunnel's names");
	if (doctor_try_launcher(visit->environment.base, visit->environment.id, words, out,
				&said) ||
	    pread(out, answer, sizeof(answer) - 1, 0) <= 0) {
		doctor_say(
			visit->doctor, DOCTOR_FAILED, "names",
			"the tunnel's names were not tested: no command runs in this tunnel; see "
			"the line about the launch");
		return;
	}
	judge(visit, "name", own, answer);
	for (size_t i = 0; i < visit->view.mapped_count; i++) {
		cleanup_free char *what = NULL;
		contact_format(&visit->view.mapped[i], contact);
		if (asprintf(&what, "mapped name %s", contact) >= 0)
			judge(visit, what, visit->view.mapped[i].host, answer);
	}
}
