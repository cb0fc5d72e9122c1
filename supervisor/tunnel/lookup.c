#include "supervisor/tunnel/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/base/address.h"
#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/loop.h"
#include "supervisor/tunnel/real.h"
#include "supervisor/tunnel/tunnel.h"

#define STOP_MS        500 /* that the end of one is waited for: its files may keep it */
#define LOOKUP_SECONDS 30  /* no service may take longer */

/* The keeper's own: what it runs must not be the supervisor's choice. */
static char program[BASE_PATH_MAX];

void lookup_want(struct state *state, uint32_t index)
{
	struct lookup *lookup = &state->lookups[index];
	if (lookup->stage == LOOKUP_RUNNING)
		return;
	if (lookup->stage == LOOKUP_IDLE) {
		lookup->len = 0;
		memset(lookup->text, 0, sizeof(lookup->text));
		fault_point("lookup.wanting");
		lookup->stage = LOOKUP_WANTED;
	}
	fault_point("lookup.wanted");
	eventfd_write(state->keeper_wakes, 1); /* again, for who wanted it may have died here */
}

/* One contact string, or one line of error; libraries may have added lines. */
static bool take_contact(struct state *state, uint32_t index, char *text)
{
	struct contact contact;
	union address address = {0};
	for (char *line; (line = strsep(&text, "\n"));)
		if (contact_parse(line, &contact) == 0)
			address_from_contact(&address, &contact);
	if (!address.sa.sa_family)
		return false;
	if (!address_same(&address, &state->tunnels[index].contact))
		tunnel_set_contact(state, index, &address);
	return true;
}

/* Lines of getent ahosts: the address is the first word; the first of a family is the best. */
static bool take_addresses(struct name *name, char *text)
{
	union address found = {0}, found6 = {0};
	bool first = true;
	for (char *line; (line = strsep(&text, "\n"));) {
		struct contact contact = {.port = 1};
		union address address;
		size_t len = strcspn(line, " \t");
		if (len >= sizeof(contact.host))
			continue;
		memcpy(contact.host, line, len);
		if (address_from_contact(&address, &contact) < 0)
			continue;
		real_add(name, &address, first);
		first = false;
		union address *at = address.sa.sa_family == AF_INET ? &found : &found6;
		if (!at->sa.sa_family)
			*at = address;
	}
	if (!found.sa.sa_family && !found6.sa.sa_family)
		return false;
	name->real = found, name->real6 = found6;
	name->resolved = loop_now();
	return true;
}

static void take(struct state *state, uint32_t index)
{
	struct lookup *lookup = &state->lookups[index];
	char text[LOOKUP_TEXT_MAX];
	memcpy(text, lookup->text, sizeof(text));
	bool found = index < MAX_TUNNELS ? take_contact(state, index, text)
					 : take_addresses(&state->names[index - MAX_TUNNELS], text);
	if (found)
		lookup->text[0] = '\0';
	else if (lookup->len == 0)
		snprintf(lookup->text, sizeof(lookup->text), "the lookup printed nothing");
	lookup->text[strcspn(lookup->text, "\n")] = '\0';
}

void lookup_recover(struct state *state)
{
	for (uint32_t i = LOOKUP_FIRST; (i = lookup_next(state, i)) != NONE;) {
		struct lookup *lookup = &state->lookups[i];
		uint32_t len = (uint32_t)strlen(lookup->text);
		if (lookup->stage == LOOKUP_RUNNING && len > lookup->len)
			lookup->len = len;
	}
}

int lookup_read(struct state *state, uint32_t index)
{
	struct lookup *lookup = &state->lookups[index];
	for (;;) {
		char rest[256]; /* what is past the limit is read and forgotten */
		size_t room = sizeof(lookup->text) - 1 - lookup->len;
		ssize_t got = read(lookup->fd, room ? lookup->text + lookup->len : rest,
				   room ? room : sizeof(rest));
		if (got < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (got <= 0)
			break;
		fault_point("lookup.reading");
		if (room)
			lookup->len += (uint32_t)got;
		lookup->text[lookup->len] = '\0';
	}
	fault_point("lookup.read");
	take(state, index);
	fault_point("lookup.taken");
	int fd = lookup->fd;
	lookup->stage = LOOKUP_IDLE;
	close(fd);
	fault_point("lookup.over");
	return 0;
}

/* --- the keeper's side --- */

void lookup_init(const char *cli)
{
	snprintf(program, sizeof(program), "%s", cli);
}

_Noreturn static void run_getent(const char *text)
{
	char host[CONTACT_HOST_MAX + 1];
	if (contact_host(text, host) < 0)
		_exit(127);
	execlp("getent", "getent", "ahosts", host, NULL);
	dprintf(STDERR_FILENO, "cannot run getent: %s\n", strerror(errno));
	_exit(127);
}

_Noreturn static void run_contact_lookup(const struct state *state, uint32_t index)
{
	char id[UUID_TEXT + 1];
	uint8_t bytes[UUID_BYTES];
	if (uuid_parse(state->tunnels[index].id, bytes) < 0)
		_exit(127);
	uuid_format(bytes, id);
	execl(program, "globus-streams", "environment", "contact-lookup", "--refresh", "--numeric",
	      "--base-dir", state->lookups[index].base, id, NULL);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", program, strerror(errno));
	_exit(127);
}

/* In the child. Nothing of keeper and supervisor goes along: all their descriptors close at exec.
 */
_Noreturn static void become(const struct state *state, uint32_t index, int out)
{
	sigset_t none;
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	alarm(LOOKUP_SECONDS); /* outlives exec */
	if (index >= MAX_TUNNELS)
		run_getent(state->names[index - MAX_TUNNELS].host);
	else
		run_contact_lookup(state, index);
}

static int start(struct state *state, uint32_t index)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	cleanup_fd int out = ends[1];
	pid_t child = fork();
	if (child == 0)
		become(state, index, out);
	if (child < 0) {
		close(ends[0]);
		return -errno;
	}
	state->lookups[index].pid = child;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return ends[0];
}

uint32_t lookup_next(const struct state *state, uint32_t index)
{
	index++;
	if (index >= state->tunnel_count && index < MAX_TUNNELS)
		index = MAX_TUNNELS;
	/* the keeper goes through them too, and the count is the supervisor's */
	uint32_t names = state->name_count < MAX_NAMES ? state->name_count : MAX_NAMES;
	return index < MAX_TUNNELS + names ? index : NONE;
}

void lookup_ended(struct state *state, pid_t pid)
{
	for (uint32_t i = LOOKUP_FIRST; (i = lookup_next(state, i)) != NONE;)
		if (state->lookups[i].pid == pid)
			state->lookups[i].pid = 0;
}

static bool is_child(pid_t pid)
{
	siginfo_t info;
	return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void lookup_stop(const struct state *state)
{
	for (uint32_t i = LOOKUP_FIRST; (i = lookup_next(state, i)) != NONE;) {
		pid_t pid = state->lookups[i].pid;
		if (is_child(pid)) { /* the mapping is the supervisor's too */
			const struct timespec pause = {.tv_nsec = (long)MILLISECOND};
			kill(pid, SIGKILL);
			for (int tries = 0; tries < STOP_MS && waitpid(pid, NULL, WNOHANG) == 0;
			     tries++)
				nanosleep(&pause, NULL);
		}
	}
}

void lookup_run(struct state *state)
{
	bool started = false;
	for (uint32_t i = LOOKUP_FIRST; (i = lookup_next(state, i)) != NONE;) {
		struct lookup *lookup = &state->lookups[i];
		if (lookup->stage != LOOKUP_WANTED)
			continue;
		int fd = start(state, i);
		if (fd < 0) {
			log_warn("cannot start a lookup: %s", strerror(-fd));
			fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		}
		lookup->fd = fd;
		lookup->stage = LOOKUP_RUNNING;
		started = true;
	}
	if (started)
		eventfd_write(state->supervisor_wakes, 1);
}
