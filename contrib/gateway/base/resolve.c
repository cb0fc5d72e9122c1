#include "contrib/gateway/base/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/base/cleanup.h"

struct resolve {
	struct job job;
	struct contact contact;
	union address addresses[RESOLVE_MAX];
	size_t count;
	int error; /* EAI_* */
	void (*found)(void *user, const union address *addresses, size_t count, const char *why);
	void *user;
};

static void look_up(struct job *job)
{
	struct resolve *resolve = container_of(job, struct resolve, job);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char port[8];

	snprintf(port, sizeof(port), "%u", (unsigned int)resolve->contact.port);
	resolve->error = getaddrinfo(resolve->contact.host, port, &hints, &found);
	if (resolve->error)
		return;
	for (struct addrinfo *ai = found; ai && resolve->count < RESOLVE_MAX; ai = ai->ai_next) {
		if (ai->ai_addrlen <= sizeof(union address))
			memcpy(&resolve->addresses[resolve->count++], ai->ai_addr, ai->ai_addrlen);
	}
	freeaddrinfo(found);
}

static void report(struct job *job)
{
	struct resolve *resolve = container_of(job, struct resolve, job);

	if (resolve->found)
		resolve->found(resolve->user, resolve->addresses, resolve->count,
			       resolve->error ? gai_strerror(resolve->error) : "no address");
	free(resolve);
}

struct resolve *resolve_start(struct offload *offload, const struct contact *contact,
			      void (*found)(void *user, const union address *addresses,
					    size_t count, const char *why),
			      void *user)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));

	if (!resolve)
		return NULL;
	resolve->job = (struct job){.work = look_up, .done = report};
	resolve->contact = *contact;
	resolve->found = found;
	resolve->user = user;
	if (offload_start(offload, &resolve->job) < 0) {
		free(resolve);
		return NULL;
	}
	return resolve;
}

void resolve_cancel(struct resolve *resolve)
{
	if (resolve)
		resolve->found = NULL;
}
