#ifndef GS_AGENT_RECEIVE_H
#define GS_AGENT_RECEIVE_H

#include "cli/agent/document.h"

/* What came: owned, agent_receive_finish(). */
struct agent_received {
	char *text;
	size_t len;
	int descriptors[AGENT_DESCRIPTORS_MAX];
	size_t count;
};

/* Receive one document and its descriptors from a connected stream socket, for at most this many
 * seconds. 0, or -errno with *why in a few words (static); what came is closed with the rest by
 * agent_receive_finish(). */
int agent_receive(struct agent_received *received, int socket, int seconds, const char **why);
void agent_receive_finish(struct agent_received *received);

#endif
