#ifndef GS_AGENT_DOCUMENT_H
#define GS_AGENT_DOCUMENT_H

/*
 * What a container runtime sends to linux.seccomp.listenerPath: one JSON document, the "container
 * process state" of the OCI runtime specification (config-linux.md, Seccomp), and with its first
 * bytes descriptors, which it names in their order. The runtime leaves the connection open, so that
 * the document's own end is the message's.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AGENT_DOCUMENT_MAX    (256 * 1024) /* bytes; the annotations of a container are in it */
#define AGENT_DESCRIPTORS_MAX 8            /* that may come along; one is wanted */
#define AGENT_TUNNELS_MAX     8

/* Where the first document ends, in pieces: starts as {0}. */
struct agent_end {
	int depth;
	char in_text, escaped;
};

/* How many bytes of data belong to the document: len or fewer, if it ends there (then *over is
 * set); -EPROTO: it does not begin like an object. */
ssize_t agent_end_find(struct agent_end *end, const char *data, size_t len, char *over);

struct agent_document {
	pid_t pid;    /* the container's process, as the runtime sees it; 0: not known */
	int listener; /* which of the descriptors is the filter's listener */
	char tunnels[AGENT_TUNNELS_MAX][37];
	size_t tunnel_count;
	char container[65]; /* its id, for messages: letters, digits, and "_.-+", cut off where it
			       is longer or has others; "(unnamed)" without any */
};

/* Read it (len bytes, descriptors of them). 0, or -EINVAL with *why in a few words (static). */
int agent_document_read(struct agent_document *document, const char *text, size_t len,
			size_t descriptors, const char **why);

#endif
