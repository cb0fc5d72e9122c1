#ifndef GS_PLACES_H
#define GS_PLACES_H

/* Where connections of tunnels are found, by the conf files that this user may read: an initiator's
 * go to the access point's contact, a listener's come to the port of its contact. */

#include <stdbool.h>
#include <stddef.h>

#include "cli/connections/sockets.h"
#include "cli/service/cli.h"

#define PLACE_ENDS 16

struct place {
	char id[37];
	bool listener, secured;
	uint16_t port;                       /* a listener's */
	struct sockets_end ends[PLACE_ENDS]; /* an initiator's: the access point's addresses */
	size_t count;
};

struct places {
	const char *base_dir, *id; /* as given */
	struct place *list;
	size_t count;
};

/* Read the conf file of the tunnel, or with NULL of all in the folder (--base-dir, or NULL); those
 * that cannot be used draw a warning then. Root reads another user's folder with that user's
 * rights. 0 with places, to be finished, or -1 with cli->failure. */
int places_read(struct places *places, struct cli *cli, const char *base_dir, const char *id);
void places_finish(struct places *places);

/* Read them again; what cannot be read leaves them as they are. */
void places_again(struct places *places, struct cli *cli);

/* The one to which a connection belongs; NULL: none. */
const struct place *places_find(const struct places *places, const struct sockets_look *look);

/* Bytes of the handshake that came first, as this side sends and receives them. */
uint64_t place_handshake_sent(const struct place *place);
uint64_t place_handshake_received(const struct place *place);

#endif
