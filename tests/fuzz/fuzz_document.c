/* What a container runtime sends to the agent, as a whole and in pieces. */

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "cli/agent/document.h"
#include "protocol/contact.h"

static void check(const struct agent_document *document)
{
	uint8_t bytes[UUID_BYTES];
	assert(document->pid >= 0 && document->listener >= 0 && document->listener < 1);
	assert(document->tunnel_count >= 1 && document->tunnel_count <= AGENT_TUNNELS_MAX);
	for (size_t i = 0; i < document->tunnel_count; i++)
		assert(uuid_parse(document->tunnels[i], bytes) == 0);
	assert(memchr(document->container, '\0', sizeof(document->container)));
	assert(!strpbrk(document->container, "\n\r\033/"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *why = NULL;
	struct agent_document document;
	struct agent_end whole = {0}, pieces = {0};
	char over, over_too = 0;
	ssize_t end = agent_end_find(&whole, text, size, &over), at = 0;
	assert(end == -EPROTO || (size_t)end <= size);
	while (at < (ssize_t)size && !over_too) { /* a byte at a time it ends at the same place */
		ssize_t used = agent_end_find(&pieces, text + at, 1, &over_too);
		if (used < 0) {
			assert(end == -EPROTO);
			return 0;
		}
		at += used;
	}
	assert(end == at && over == over_too);
	if (agent_document_read(&document, text, (size_t)end, 1, &why) == 0)
		check(&document);
	else
		assert(why);
	return 0;
}
