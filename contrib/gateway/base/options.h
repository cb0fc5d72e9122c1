#ifndef GW_OPTIONS_H
#define GW_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "contrib/gateway/base/net.h"

/* What the access points demand of a LAN connection. */
enum as_globus {
	AS_GLOBUS_NOT,      /* our own authentication, where a secret was made */
	AS_GLOBUS_OPTIONAL, /* nothing; the manager says that no secret is required */
	AS_GLOBUS_REQUIRED, /* what is not published, so nobody gets through; the manager says so */
	AS_GLOBUS_SILENT,   /* nothing; the manager does not say what is required */
};

struct options {
	const char *state;     /* --state; never NULL */
	int64_t port;          /* 0: any */
	union address address; /* of --address, with port 0 */
	bool new_ports, verbose;
	int64_t as_globus;      /* enum as_globus */
	int64_t token_lifetime; /* s */
	int64_t lan_delay;      /* ms */
	int64_t listener_delay; /* ms */
};

/* Read the command line. Returns when the program is to go on; --help and --version end it with 0,
 * what cannot be understood with one line on stderr and 2. */
void options_parse(struct options *options, int argc, char **argv);

#endif
