#include "cli/agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cli/agent/owner.h"
#include "cli/agent/receive.h"
#include "cli/base/cleanup.h"
#include "cli/base/conf_file.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/process/attach.h"

#define SECONDS 5  /* for a document, from its first byte to its last */
#define AT_MOST 60 /* for all: whatever holds the agent up, its container is not to hang */

void agent_say(const char *format, ...)
{
	char text[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	fprintf(stderr, "globus-streams-oci-agent: %s\n", text);
}

/* --- the tunnels --- */

/* Read the conf file of a tunnel, as this user's; *initiates is set if it leads out. */
static int read_tunnel(const struct agent *agent, const char *container, const char *id,
		       struct control_tunnel *message, bool *initiates)
{
	cleanup_free char *why = NULL;
	if (conf_file_view(agent->base, id, &message->view, &why) < 0) {
		agent_say("container %s is refused: %s", container, why ? why : "out of memory");
		return -1;
	}
	snprintf(message->id, sizeof(message->id), "%s", id);
	snprintf(message->base, sizeof(message->base), "%s", agent->base);
	*initiates |= message->view.listener.port == 0;
	return 0;
}

/* Is the tunnel there already, by another folder's conf file? Then that is said. */
static bool is_there(const struct agent *agent, int channel, const char *container, const char *id)
{
	char folder[CONTROL_PATH_MAX];
	if (attach_folder(channel, id, folder) < 0 || strcmp(folder, agent->base) == 0)
		return false;
	agent_say("container %s is refused: the supervisor has tunnel %s from folder %s already; "
		  "use --base-dir %s, or a supervisor of its own",
		  container, id, folder, folder);
	return true;
}

static int tell_tunnel(const struct agent *agent, int channel, const char *container,
		       const char *id, bool *initiates)
{
	struct control_tunnel message = {0};
	if (read_tunnel(agent, container, id, &message, initiates) < 0)
		return -1;
	int err = attach_tunnel(channel, &message);
	explicit_bzero(&message, sizeof(message));
	if (err == -EDOM && is_there(agent, channel, container, id))
		return -1;
	if (err < 0)
		agent_say("container %s is refused: the supervisor refused tunnel %s: %s",
			  container, id,
			  err == -EDOM ? "it maps a HOST:PORT that already goes through another "
					 "tunnel there"
				       : strerror(-err));
	return err < 0 ? -1 : 0;
}

/* --- the hand-over --- */

static const char *explain(int err)
{
	if (err == -EPERM)
		return "it may not inspect the container's processes; run: globus-streams doctor";
	if (err == -EPROTO)
		return "it is of another version; run: globus-streams supervisor upgrade";
	if (err == -ETIMEDOUT)
		return "it has not answered in time; the container may be served later";
	return strerror(-err);
}

static int hand_over(const struct agent *agent, const struct agent_document *document, pid_t pid,
		     int notify_fd)
{
	cleanup_fd int channel = attach_open(agent->supervisor);
	bool initiates = false;
	if (channel < 0) {
		agent_say("container %s is refused: no supervisor at %s: %s; run: "
			  "globus-streams-supervisor --socket %s",
			  document->container, agent->supervisor, strerror(-channel),
			  agent->supervisor);
		return -1;
	}
	for (size_t i = 0; i < document->tunnel_count; i++)
		if (tell_tunnel(agent, channel, document->container, document->tunnels[i],
				&initiates) < 0)
			return -1;
	int err = attach_guest(channel, notify_fd, pid, initiates ? 0 : ATTACH_LISTENS);
	if (err < 0)
		agent_say("container %s is refused by the supervisor: %s", document->container,
			  explain(err));
	return err < 0 ? -1 : 0;
}

/* Another file could have whoever asks it wait for ever. */
static bool is_listener(int fd)
{
	static const char listener[] = "anon_inode:seccomp notify";
	char path[64], what[64] = "";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(path, what, sizeof(what) - 1);
	return len == (ssize_t)strlen(listener) && strcmp(what, listener) == 0 &&
	       notify_is_listener(fd);
}

static int serve_received(const struct agent *agent, const struct agent_received *received,
			  pid_t runtime)
{
	struct agent_document document;
	const char *why;
	if (agent_document_read(&document, received->text, received->len, received->count, &why) <
	    0) {
		agent_say("a container is refused: what its runtime sent is not usable: %s; see "
			  "globus-streams-oci(1) for the profile",
			  why);
		return -1;
	}
	int notify_fd = received->descriptors[document.listener];
	if (!is_listener(notify_fd)) {
		agent_say("container %s is refused: the descriptor that its runtime sent is not a "
			  "seccomp filter's listener",
			  document.container);
		return -1;
	}
	pid_t pid = owner_check_process(document.pid, runtime, document.container);
	if (pid < 0 || hand_over(agent, &document, pid, notify_fd) < 0)
		return -1;
	agent_say("container %s is served, with %zu tunnel%s", document.container,
		  document.tunnel_count, document.tunnel_count == 1 ? "" : "s");
	return 0;
}

/* From a signal's handler. */
static void say_at_once(const char *text)
{
	static const char name[] = "globus-streams-oci-agent: ";
	const struct iovec parts[] = {
		{(char *)name, sizeof(name) - 1}, {(char *)text, strlen(text)}, {(char *)"\n", 1}};
	ssize_t written = writev(STDERR_FILENO, parts, 3);
	(void)written;
}

static void too_long(int number)
{
	(void)number;
	say_at_once("a container is refused: it was not handed over within a minute");
	_exit(1);
}

/* Whoever started us may ignore or block it. */
static void limit_time(void)
{
	sigset_t only;
	sigemptyset(&only);
	sigaddset(&only, SIGALRM);
	signal(SIGALRM, too_long);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	alarm(AT_MOST);
}

int agent_serve(const struct agent *agent, int socket)
{
	struct agent_received received;
	const char *why = NULL;
	limit_time();
	pid_t runtime = owner_check_peer(socket);
	if (runtime < 0)
		return -1;
	int err = agent_receive(&received, socket, SECONDS, &why);
	if (err < 0)
		agent_say("a container is refused: what its runtime sent is not usable: %s", why);
	else
		err = serve_received(agent, &received, runtime);
	agent_receive_finish(&received);
	return err < 0 ? -1 : 0;
}
