#ifndef GW_GATEWAY_H
#define GW_GATEWAY_H

/* What the parts of the gateway share. One of it, made by main(). */

#include "contrib/gateway/base/loop.h"
#include "contrib/gateway/base/net.h"
#include "contrib/gateway/base/offload.h"
#include "contrib/gateway/base/options.h"
#include "contrib/gateway/base/pipes.h"
#include "contrib/gateway/state/saver.h"
#include "contrib/gateway/state/store.h"

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
