#ifndef GW_HANDSHAKE_H
#define GW_HANDSHAKE_H

/* Runs one LAN authentication over a non-blocking socket. */

#include <stdbool.h>

#include "protocol/lan_auth.h"

struct handshake {
	struct lan_auth auth;
	bool held;     /* each frame that is sent waits for handshake_release() */
	bool released; /* the next one has waited */
};

enum handshake_need {
	HANDSHAKE_SOCKET,  /* go on when the socket is ready */
	HANDSHAKE_RELEASE, /* go on after handshake_release(), some time later */
	HANDSHAKE_KEY,     /* see lan_auth.h */
	HANDSHAKE_DECIDE,
	HANDSHAKE_DONE,
	HANDSHAKE_FAILED,
	HANDSHAKE_GONE, /* the peer closed, or the connection broke */
};

/* Begin, in one role or the other, with fresh nonces. held: see above (--lan-delay). */
void handshake_answer(struct handshake *handshake, bool held);
void handshake_call(struct handshake *handshake, const uint8_t key_id[LAN_AUTH_KEY_ID], bool held);

/* Send and receive as far as it goes. */
enum handshake_need handshake_step(struct handshake *handshake, int fd);

void handshake_release(struct handshake *handshake);

#endif
