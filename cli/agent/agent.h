#ifndef GS_AGENT_H
#define GS_AGENT_H

struct agent {
	const char *base;       /* the folder of the conf files */
	const char *supervisor; /* the socket of the supervisor that serves the containers */
};

/* Serve the container whose runtime is connected at socket, a stream socket: hand its listener
 * descriptor to the supervisor, together with the tunnels that it asks for. 0, or -1 after a line
 * that says why; every descriptor that came is closed then, so that the container's calls fail and
 * its start does not hang. */
int agent_serve(const struct agent *agent, int socket);

/* Listen at path and serve each connection in a process of its own, until a signal. The socket is
 * the owner's alone, in a folder that must be the owner's too; one that nobody answers at is
 * replaced. Returns only on an error, -1 after a line. */
int agent_listen(const struct agent *agent, const char *path);

/* One line on stderr, "globus-streams-oci-agent: …". */
__attribute__((format(printf, 1, 2))) void agent_say(const char *format, ...);

#endif
