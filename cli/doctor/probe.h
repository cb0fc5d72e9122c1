#ifndef GS_PROBE_H
#define GS_PROBE_H

/* Connecting to an access point as a program under globus-streams-run does. Every step waits until
 * end (clock_ms()) at most. */

#include <sys/socket.h>

#include "protocol/conf.h"

#define PROBE_ADDRESSES_MAX 8

/* The addresses of a contact. */
struct probe_addresses {
	int code; /* of getaddrinfo(), for gai_strerror(); EAI_AGAIN: no answer until end */
	size_t count;
	struct {
		socklen_t len;
		struct sockaddr_storage address;
	} items[PROBE_ADDRESSES_MAX];
};

/* What a handshake has shown. */
struct probe_result {
	const char *why; /* it failed: a few words (static) */
	bool answered;   /* the peer has sent a frame of the format */
	bool challenged; /* it knows our key's id, and has gone on */
	bool reached;    /* it has accepted us, and reports a problem behind it */
	int code;        /* enum lan_auth_code that it sent; -1: none */
};

/* Resolve a contact, in a process of its own. */
void probe_resolve(const struct contact *contact, long long end, struct probe_addresses *list);

/* The text of the first address, or "". */
void probe_text(const struct probe_addresses *list, char *text, size_t size);

/* Connect to the first address that accepts: a descriptor or -errno. */
int probe_connect(const struct probe_addresses *list, long long end);

/* LAN authentication as the caller: 0, or -errno. */
int probe_authenticate(int fd, const struct conf_view *view, long long end,
		       struct probe_result *result);

#endif
