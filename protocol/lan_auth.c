#include "protocol/lan_auth.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <string.h>

static_assert(sizeof(struct lan_auth) ==
		      6 + LAN_AUTH_HELLO + LAN_AUTH_CHALLENGE + LAN_AUTH_RESPONSE + LAN_AUTH_STATUS,
	      "no padding, no pointers");

enum { ROLE_CALLER, ROLE_ANSWERER };
enum { FRAME_HELLO = 1, FRAME_CHALLENGE, FRAME_RESPONSE, FRAME_STATUS };

/* Each state says what may happen in it; a frame that moves is named by its state. */
enum state {
	S_HELLO,     /* caller sends, answerer receives */
	S_HELLO_KEY, /* answerer: which secret? */
	S_CHALLENGE,
	S_CHALLENGE_KEY, /* caller: compute the MAC */
	S_RESPONSE,
	S_RESPONSE_KEY, /* answerer: check the MAC */
	S_DECIDE,       /* answerer: accept? */
	S_STATUS,
	S_STATUS_KEY, /* caller: check the MAC */
	S_DONE,
	S_FAILED,
};

#define MAC 32
static const uint8_t magic[4] = {'G', 'S', 'L', '1'};
static const char caller_label[] = "globus-streams lan-auth v1 caller";
static const char answerer_label[] = "globus-streams lan-auth v1 answerer";

static void write_header(uint8_t *frame, uint8_t type, uint16_t code)
{
	memcpy(frame, magic, sizeof(magic));
	frame[4] = type;
	frame[5] = LAN_AUTH_VERSION;
	frame[6] = (uint8_t)(code >> 8);
	frame[7] = (uint8_t)code;
}

static void begin(struct lan_auth *la, uint8_t role)
{
	memset(la, 0, sizeof(*la));
	la->role = role;
	la->state = S_HELLO;
}

void lan_auth_caller(struct lan_auth *la, const uint8_t key_id[LAN_AUTH_KEY_ID],
		     const uint8_t nonce[LAN_AUTH_NONCE])
{
	begin(la, ROLE_CALLER);
	write_header(la->hello, FRAME_HELLO, 0);
	memcpy(la->hello + LAN_AUTH_HEADER, key_id, LAN_AUTH_KEY_ID);
	memcpy(la->hello + LAN_AUTH_HEADER + LAN_AUTH_KEY_ID, nonce, LAN_AUTH_NONCE);
}

void lan_auth_answerer(struct lan_auth *la, const uint8_t nonce[LAN_AUTH_NONCE])
{
	begin(la, ROLE_ANSWERER);
	write_header(la->challenge, FRAME_CHALLENGE, 0);
	memcpy(la->challenge + LAN_AUTH_HEADER, nonce, LAN_AUTH_NONCE);
}

static uint16_t header_code(const uint8_t *frame)
{
	return (uint16_t)(frame[6] << 8 | frame[7]);
}

static bool sends(const struct lan_auth *la)
{
	bool caller_frame = la->state == S_HELLO || la->state == S_RESPONSE;
	return caller_frame == (la->role == ROLE_CALLER);
}

/* Bytes that went the same way before the current frame. */
static size_t before(const struct lan_auth *la)
{
	switch (la->state) {
	case S_RESPONSE:
		return LAN_AUTH_HELLO;
	case S_STATUS: /* which may stand in place of CHALLENGE */
		if (la->role == ROLE_CALLER || la->received >= LAN_AUTH_HELLO + LAN_AUTH_RESPONSE)
			return LAN_AUTH_CHALLENGE;
		return 0;
	default:
		return 0;
	}
}

/* Bytes of the current frame that have moved. */
static size_t moved(const struct lan_auth *la)
{
	return (sends(la) ? la->sent : la->received) - before(la);
}

/* The frame that the current state moves, and its whole length: of a STATUS that is received, the
 * longest there is until its header has come. */
static const uint8_t *current(const struct lan_auth *la, size_t *len)
{
	switch (la->state) {
	case S_HELLO:
		*len = LAN_AUTH_HELLO;
		return la->hello;
	case S_CHALLENGE:
		*len = LAN_AUTH_CHALLENGE;
		return la->challenge;
	case S_RESPONSE:
		*len = LAN_AUTH_RESPONSE;
		return la->response;
	default:
		*len = (sends(la) || moved(la) >= LAN_AUTH_HEADER) && header_code(la->status) != 0
			       ? LAN_AUTH_HEADER
			       : LAN_AUTH_STATUS;
		return la->status;
	}
}

enum lan_auth_need lan_auth_need(const struct lan_auth *la)
{
	switch (la->state) {
	case S_HELLO_KEY:
	case S_CHALLENGE_KEY:
	case S_RESPONSE_KEY:
	case S_STATUS_KEY:
		return LAN_AUTH_NEED_KEY;
	case S_DECIDE:
		return LAN_AUTH_NEED_DECIDE;
	case S_DONE:
		return LAN_AUTH_DONE;
	case S_FAILED:
		return LAN_AUTH_FAILED;
	default:
		return sends(la) ? LAN_AUTH_NEED_SEND : LAN_AUTH_NEED_RECV;
	}
}

/* The last step of every change: a process that ends before it has changed nothing, and one that
 * goes on from there does it again. */
static void move_to(struct lan_auth *la, enum state state)
{
	atomic_signal_fence(memory_order_seq_cst);
	la->state = (uint8_t)state;
}

static void fail(struct lan_auth *la, enum lan_auth_fault fault)
{
	la->fault = (uint8_t)fault;
	move_to(la, S_FAILED);
}

/* --- sending --- */

const uint8_t *lan_auth_output(const struct lan_auth *la, size_t *len)
{
	size_t whole;
	const uint8_t *frame = current(la, &whole);
	*len = whole - moved(la);
	return frame + moved(la);
}

void lan_auth_sent(struct lan_auth *la, size_t len)
{
	size_t whole;
	la->sent = (uint8_t)(la->sent + len);
	current(la, &whole);
	if (moved(la) < whole)
		return;
	if (la->state != S_STATUS)
		move_to(la, la->state == S_CHALLENGE ? S_RESPONSE
			    : la->state == S_HELLO   ? S_CHALLENGE
						     : S_STATUS);
	else if (la->code != LAN_AUTH_OK)
		fail(la, LAN_AUTH_FAULT_STATUS);
	else
		move_to(la, S_DONE);
}

/* --- receiving --- */

uint8_t *lan_auth_input(struct lan_auth *la, size_t *len)
{
	/* A STATUS with an error is shorter than what may be expected, but nothing follows it. */
	size_t whole;
	const uint8_t *frame = current(la, &whole);
	*len = whole - moved(la);
	return (uint8_t *)frame + moved(la);
}

static void write_status(struct lan_auth *la, enum lan_auth_code code)
{
	la->code = (uint8_t)code;
	write_header(la->status, FRAME_STATUS, (uint16_t)code);
}

static void send_status(struct lan_auth *la, enum lan_auth_code code)
{
	write_status(la, code);
	move_to(la, S_STATUS);
}

/* A STATUS header lies in la->status. */
static void check_status_header(struct lan_auth *la, bool may_be_ok)
{
	uint16_t code = header_code(la->status);
	if (code > LAN_AUTH_BAD_VERSION || (code == 0 && !may_be_ok))
		return fail(la, LAN_AUTH_FAULT_PROTOCOL);
	la->code = (uint8_t)code;
	if (code != 0)
		fail(la, LAN_AUTH_FAULT_STATUS);
}

static void check_header(struct lan_auth *la, const uint8_t *frame)
{
	static const uint8_t type_of[] = {[S_HELLO] = FRAME_HELLO,
					  [S_CHALLENGE] = FRAME_CHALLENGE,
					  [S_RESPONSE] = FRAME_RESPONSE,
					  [S_STATUS] = FRAME_STATUS};
	if (memcmp(frame, magic, sizeof(magic)) != 0)
		return fail(la, LAN_AUTH_FAULT_PROTOCOL);
	if (la->state == S_HELLO && frame[4] == FRAME_HELLO && frame[5] != LAN_AUTH_VERSION)
		return send_status(la, LAN_AUTH_BAD_VERSION);
	if (frame[5] != LAN_AUTH_VERSION)
		return fail(la, LAN_AUTH_FAULT_PROTOCOL);
	if (la->state == S_CHALLENGE && frame[4] == FRAME_STATUS) {
		memcpy(la->status, frame, LAN_AUTH_HEADER);
		return check_status_header(la, false);
	}
	if (frame[4] != type_of[la->state])
		return fail(la, LAN_AUTH_FAULT_PROTOCOL);
	if (la->state == S_STATUS)
		return check_status_header(la, true);
	if (header_code(frame) != 0)
		fail(la, LAN_AUTH_FAULT_PROTOCOL);
}

void lan_auth_received(struct lan_auth *la, size_t len)
{
	size_t whole;
	la->received = (uint8_t)(la->received + len);
	const uint8_t *frame = current(la, &whole);
	uint8_t state = la->state;
	if (moved(la) >= LAN_AUTH_HEADER)
		check_header(la, frame);
	if (la->state == state && moved(la) == whole)
		move_to(la, state + 1); /* each frame's KEY state follows it */
}

/* --- the secret --- */

static_assert(S_HELLO + 1 == S_HELLO_KEY && S_CHALLENGE + 1 == S_CHALLENGE_KEY &&
		      S_RESPONSE + 1 == S_RESPONSE_KEY && S_STATUS + 1 == S_STATUS_KEY,
	      "lan_auth_received() counts on it");

/* HMAC-SHA256 over the label with its NUL and the frames so far; false: libcrypto refuses. */
static bool mac(const struct lan_auth *la, uint8_t role, const void *key, size_t key_len,
		uint8_t out[MAC])
{
	uint8_t text[sizeof(answerer_label) + LAN_AUTH_HELLO + LAN_AUTH_CHALLENGE +
		     LAN_AUTH_RESPONSE + LAN_AUTH_HEADER];
	uint8_t *at = text;
	const char *label = role == ROLE_CALLER ? caller_label : answerer_label;
	size_t label_len = role == ROLE_CALLER ? sizeof(caller_label) : sizeof(answerer_label);

	at = (uint8_t *)memcpy(at, label, label_len) + label_len;
	at = (uint8_t *)memcpy(at, la->hello, LAN_AUTH_HELLO) + LAN_AUTH_HELLO;
	at = (uint8_t *)memcpy(at, la->challenge, LAN_AUTH_CHALLENGE) + LAN_AUTH_CHALLENGE;
	if (role == ROLE_ANSWERER) {
		at = (uint8_t *)memcpy(at, la->response, LAN_AUTH_RESPONSE) + LAN_AUTH_RESPONSE;
		at = (uint8_t *)memcpy(at, la->status, LAN_AUTH_HEADER) + LAN_AUTH_HEADER;
	}
	unsigned len = MAC;
	return key_len <= LAN_AUTH_KEY_MAX &&
	       HMAC(EVP_sha256(), key, (int)key_len, text, (size_t)(at - text), out, &len) != NULL;
}

/* Is theirs the MAC of the frames? -1: that cannot be computed. */
static int mac_matches(const struct lan_auth *la, uint8_t role, const void *key, size_t key_len,
		       const uint8_t *theirs)
{
	uint8_t ours[MAC];
	if (!mac(la, role, key, key_len, ours))
		return -1;
	bool same = CRYPTO_memcmp(ours, theirs, MAC) == 0;
	OPENSSL_cleanse(ours, sizeof(ours));
	return same;
}

static void make_response(struct lan_auth *la, const void *key, size_t key_len)
{
	if (!mac(la, ROLE_CALLER, key, key_len, la->response + LAN_AUTH_HEADER))
		return fail(la, LAN_AUTH_FAULT_OURS);
	write_header(la->response, FRAME_RESPONSE, 0);
	move_to(la, S_RESPONSE);
}

static void check_response(struct lan_auth *la, const void *key, size_t key_len)
{
	int same = mac_matches(la, ROLE_CALLER, key, key_len, la->response + LAN_AUTH_HEADER);
	if (same == 1)
		return move_to(la, S_DECIDE);
	send_status(la, same == 0 ? LAN_AUTH_REFUSED : LAN_AUTH_BUSY);
}

static void check_status(struct lan_auth *la, const void *key, size_t key_len)
{
	int same = mac_matches(la, ROLE_ANSWERER, key, key_len, la->status + LAN_AUTH_HEADER);
	if (same == 1)
		return move_to(la, S_DONE);
	fail(la, same == 0 ? LAN_AUTH_FAULT_MAC : LAN_AUTH_FAULT_OURS);
}

void lan_auth_key(struct lan_auth *la, const void *key, size_t key_len)
{
	bool answerer = la->role == ROLE_ANSWERER;
	if (key_len > LAN_AUTH_KEY_MAX)
		key = NULL;
	if (!key && answerer)
		return send_status(la, LAN_AUTH_UNKNOWN_KEY);
	if (!key)
		return fail(la, LAN_AUTH_FAULT_MAC);
	switch (la->state) {
	case S_HELLO_KEY:
		return move_to(la, S_CHALLENGE);
	case S_CHALLENGE_KEY:
		return make_response(la, key, key_len);
	case S_RESPONSE_KEY:
		return check_response(la, key, key_len);
	case S_STATUS_KEY:
		return check_status(la, key, key_len);
	}
}

void lan_auth_decide(struct lan_auth *la, enum lan_auth_code code, const void *key, size_t key_len)
{
	if (code == LAN_AUTH_OK && la->state != S_DECIDE)
		code = LAN_AUTH_REFUSED;
	write_status(la, code); /* the MAC is over its header too */
	if (code == LAN_AUTH_OK &&
	    !mac(la, ROLE_ANSWERER, key, key_len, la->status + LAN_AUTH_HEADER))
		write_status(la, LAN_AUTH_BUSY);
	move_to(la, S_STATUS);
}

const uint8_t *lan_auth_key_id(const struct lan_auth *la)
{
	return la->hello + LAN_AUTH_HEADER;
}

/* --- what came of it --- */

int lan_auth_errno(const struct lan_auth *la)
{
	static const int of_code[] = {
		[LAN_AUTH_OK] = 0,
		[LAN_AUTH_REFUSED] = EACCES,
		[LAN_AUTH_UNKNOWN_KEY] = EACCES,
		[LAN_AUTH_NOT_ACTIVE] = ENETUNREACH,
		[LAN_AUTH_UNREACHABLE] = ECONNREFUSED,
		[LAN_AUTH_TIMED_OUT] = ETIMEDOUT,
		[LAN_AUTH_BUSY] = ECONNREFUSED,
		[LAN_AUTH_BAD_VERSION] = EPROTO,
	};
	switch (la->fault) {
	case LAN_AUTH_FAULT_STATUS:
		return of_code[la->code];
	case LAN_AUTH_FAULT_PROTOCOL:
		return EPROTO;
	case LAN_AUTH_FAULT_MAC:
		return EACCES;
	case LAN_AUTH_FAULT_OURS:
		return ENOMEM;
	default:
		return 0;
	}
}

const char *lan_auth_why(const struct lan_auth *la)
{
	switch (la->fault) {
	case LAN_AUTH_FAULT_STATUS:
		return lan_auth_code_name(la->code);
	case LAN_AUTH_FAULT_PROTOCOL:
		return "the peer does not speak lan-auth version 1";
	case LAN_AUTH_FAULT_MAC:
		return "the peer does not hold the LAN secret";
	case LAN_AUTH_FAULT_OURS:
		return "no memory for the handshake";
	default:
		return "no fault";
	}
}

const char *lan_auth_code_name(enum lan_auth_code code)
{
	static const char *const names[] = {
		[LAN_AUTH_OK] = "ok",
		[LAN_AUTH_REFUSED] = "authentication failed",
		[LAN_AUTH_UNKNOWN_KEY] = "unknown key",
		[LAN_AUTH_NOT_ACTIVE] = "tunnel not active",
		[LAN_AUTH_UNREACHABLE] = "listener unreachable",
		[LAN_AUTH_TIMED_OUT] = "timed out",
		[LAN_AUTH_BUSY] = "busy",
		[LAN_AUTH_BAD_VERSION] = "version not supported",
	};
	return (size_t)code < sizeof(names) / sizeof(*names) ? names[code] : "unknown code";
}
