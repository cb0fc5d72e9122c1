#ifndef GW_GATEWAY_H
#define GW_GATEWAY_H

/* What the parts of the gateway share. One of it, made by main(). */

#include "contrib/gateway/loop.h"
#include "contrib/gateway/net.h"
#include "contrib/gateway/offload.h"
#include "contrib/gateway/options.h"
#include "contrib/gateway/pipes.h"
#include "contrib/gateway/saver.h"
#include "contrib/gateway/store.h"

struct gateway {
	const struct options *options;
	struct loop *loop;
	struct offload *offload;
	struct store store;
	struct saver *saver;
	struct pipes *pipes;
	union address address;   /* where everything is bound; its port is the HTTP one */
	struct timer reaper;     /* stops tunnels at the end of their lifetime */
	size_t calls, calls_max; /* LAN connections */
};

#endif
