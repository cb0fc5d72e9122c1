#ifndef GS_LAN_AUTH_H
#define GS_LAN_AUTH_H

/*
 * LAN authentication, version 1: what runs on a LAN connection between an application and a stream
 * access point before the first byte of application data. The format is described in
 * globus-streams-lan-auth(7). Pure code: the owner of the connection moves the bytes.
 *
 *     caller    HELLO ->            <- CHALLENGE   RESPONSE ->            <- STATUS
 *
 * The owner asks lan_auth_need() and does what it says until it says DONE or FAILED:
 *
 *     SEND    send lan_auth_output(), tell lan_auth_sent() how much went out
 *     RECV    receive at most lan_auth_input() bytes, tell lan_auth_received() how many came
 *     KEY     a frame is whole and the secret is needed: lan_auth_key(). An answerer finds the
 * secret by lan_auth_key_id() and says NULL when it knows none DECIDE  (answerer) the caller has
 * proved itself: lan_auth_decide() accepts or refuses it
 *
 * A struct lan_auth holds no pointer and no secret, and every step is complete or not done: it may
 * live in memory that another process takes over in the middle of a handshake. That process finds
 * out from the socket how many bytes have moved, and tells what lan_auth_sent() or
 * lan_auth_received() was not told, 0 included.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAN_AUTH_VERSION   1
#define LAN_AUTH_HEADER    8
#define LAN_AUTH_HELLO     56
#define LAN_AUTH_CHALLENGE 40
#define LAN_AUTH_RESPONSE  40
#define LAN_AUTH_STATUS    40 /* with code 0; every other code is the header alone */
#define LAN_AUTH_NONCE     32
#define LAN_AUTH_KEY_ID    16
#define LAN_AUTH_KEY_MAX   256 /* bytes of secret */

enum lan_auth_code {
	LAN_AUTH_OK = 0,
	LAN_AUTH_REFUSED = 1, /* authentication failed */
	LAN_AUTH_UNKNOWN_KEY = 2,
	LAN_AUTH_NOT_ACTIVE = 3,  /* the tunnel is not active */
	LAN_AUTH_UNREACHABLE = 4, /* the listener is unreachable */
	LAN_AUTH_TIMED_OUT = 5,
	LAN_AUTH_BUSY = 6,
	LAN_AUTH_BAD_VERSION = 7,
};

enum lan_auth_need {
	LAN_AUTH_NEED_SEND,
	LAN_AUTH_NEED_RECV,
	LAN_AUTH_NEED_KEY,
	LAN_AUTH_NEED_DECIDE,
	LAN_AUTH_DONE,
	LAN_AUTH_FAILED,
};

/* What went wrong, where no STATUS code says it. */
enum lan_auth_fault {
	LAN_AUTH_NO_FAULT,
	LAN_AUTH_FAULT_STATUS,   /* the answerer sent a code other than 0, or we sent it one */
	LAN_AUTH_FAULT_PROTOCOL, /* bytes that are not this format */
	LAN_AUTH_FAULT_MAC,      /* the answerer does not hold the secret */
	LAN_AUTH_FAULT_OURS,     /* libcrypto cannot compute a MAC: there is no memory */
};

struct lan_auth {
	uint8_t role, state, fault;
	uint8_t code; /* enum lan_auth_code, sent or received, once fault or STATUS says so */
	uint8_t sent, received; /* bytes in all: what the socket tells too */
	uint8_t hello[LAN_AUTH_HELLO];
	uint8_t challenge[LAN_AUTH_CHALLENGE];
	uint8_t response[LAN_AUTH_RESPONSE];
	uint8_t status[LAN_AUTH_STATUS];
};

/* Begin as the caller: who opened the connection. nonce: fresh random bytes. */
void lan_auth_caller(struct lan_auth *la, const uint8_t key_id[LAN_AUTH_KEY_ID],
		     const uint8_t nonce[LAN_AUTH_NONCE]);

/* Begin as the answerer: who accepted the connection. nonce: fresh random bytes. */
void lan_auth_answerer(struct lan_auth *la, const uint8_t nonce[LAN_AUTH_NONCE]);

/* What the handshake waits for; see above. */
enum lan_auth_need lan_auth_need(const struct lan_auth *la);

/* NEED_SEND: the bytes still to be sent, *len of them; they belong to la. */
const uint8_t *lan_auth_output(const struct lan_auth *la, size_t *len);
void lan_auth_sent(struct lan_auth *la, size_t len);

/* NEED_RECV: where to put at most *len bytes: never more than the frame, so that application data
 * stays in the socket. (A STATUS with an error is shorter than the frame it stands in place of, but
 * it is the last thing that its sender says.) */
uint8_t *lan_auth_input(struct lan_auth *la, size_t *len);
void lan_auth_received(struct lan_auth *la, size_t len);

/* The key id in HELLO; valid for an answerer from the first NEED_KEY on. */
const uint8_t *lan_auth_key_id(const struct lan_auth *la);

/* NEED_KEY: go on with the secret, key_len bytes (at most LAN_AUTH_KEY_MAX) as they are; NULL when
 * it is not known. The secret is not kept. */
void lan_auth_key(struct lan_auth *la, const void *key, size_t key_len);

/* NEED_DECIDE: code 0 accepts, any other refuses. An answerer that accepts gives the secret again.
 * May also be called at NEED_KEY or NEED_DECIDE to refuse early. */
void lan_auth_decide(struct lan_auth *la, enum lan_auth_code code, const void *key, size_t key_len);

/* FAILED: the errno that connect() gives the application (positive); 0 if nothing failed. */
int lan_auth_errno(const struct lan_auth *la);

/* FAILED: a few words for a log line; static. */
const char *lan_auth_why(const struct lan_auth *la);

/* The name of a STATUS code: "authentication failed"; static, never NULL. */
const char *lan_auth_code_name(enum lan_auth_code code);

#endif
