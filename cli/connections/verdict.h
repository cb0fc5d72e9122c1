#ifndef GS_VERDICT_H
#define GS_VERDICT_H

/*
 * What limits a connection, by two looks at what TCP counts: pure. Seen from this machine, whose
 * peer is the access point:
 *
 *     what goes out    waits for the program (little busy time), for its small send buffer, for the
 *                      access point (its window is closed: the far program, or the wide-area path),
 *                      or for the LAN
 *     what comes in    is read as it comes, or lies in the program's receive queue
 */

#include <stdbool.h>

#include "cli/connections/sockets.h"

enum verdict {
	VERDICT_NOTHING,       /* it sends, and nothing holds it up */
	VERDICT_PROGRAM_SENDS, /* the program sends less than the path takes */
	VERDICT_BUFFER,        /* its send buffer is small */
	VERDICT_TUNNEL,        /* the access point takes no more */
	VERDICT_LAN,           /* packets are lost between here and the access point */
	VERDICT_PROGRAM_READS, /* the program reads slowly */
	VERDICT_READS_ALL,     /* it reads what comes */
	VERDICT_IDLE,          /* nothing has moved for a while */
	VERDICT_HANDSHAKE,     /* it is not authenticated yet */
	VERDICT_CONNECTING,    /* nor connected */
	VERDICT_CLOSING,       /* both directions end */
	VERDICT_NEW,           /* there was no look at it before */
	VERDICT_COUNT,
};

/* before and now: two looks at one connection, us microseconds apart; before may be NULL.
 * authenticated: the handshake is over. */
enum verdict verdict_of(const struct sockets_look *before, const struct sockets_look *now,
			long long us, bool authenticated);

/* A word for programs ("program-sends"), a few for a narrow column, and a sentence. Static. */
const char *verdict_name(enum verdict verdict);
const char *verdict_short(enum verdict verdict);
const char *verdict_text(enum verdict verdict);

#endif
