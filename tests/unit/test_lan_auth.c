/*
 * LAN authentication: the worked example of globus-streams-lan-auth(7) for both roles, and what
 * either role makes of everything else.
 */

#include "protocol/lan_auth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/contact.h"
#include "tests/unit/suite.h"

static const char secret[] = "e7a1c0ffee5ec2e7d15ea5ed0ddba11c0decafe0123456789abcdef00facade5";
#define SECRET_LEN (sizeof(secret) - 1)
static const char key_id_text[] = "13fb1936-c8dd-4c6b-9af3-394075c08424";

static const char hello_hex[] = "47534c310101000013fb1936c8dd4c6b9af3394075c08424"
				"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char challenge_hex[] =
	"47534c3102010000808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
static const char response_hex[] =
	"47534c3103010000854cb258c895ec0ed42a6ff4f475b5db942acf7a3930666335e3c35fb88430ed";
static const char status_hex[] =
	"47534c3104010000c12231b05d32b856145f6c2f82982fdf4f071bec0692dcc1e274aaa442ce750d";
static const char refusal_hex[] = "47534c3104010004";

static uint8_t key_id[LAN_AUTH_KEY_ID], caller_nonce[LAN_AUTH_NONCE],
	answerer_nonce[LAN_AUTH_NONCE];
static uint8_t hello[LAN_AUTH_HELLO], challenge[LAN_AUTH_CHALLENGE], response[LAN_AUTH_RESPONSE],
	status[LAN_AUTH_STATUS], refusal[LAN_AUTH_HEADER];

static void unhex(const char *text, uint8_t *bytes, size_t len)
{
	unsigned value;
	ck_assert_uint_eq(strlen(text), 2 * len);
	for (size_t i = 0; i < len; i++) {
		ck_assert_int_eq(sscanf(text + 2 * i, "%2x", &value), 1);
		bytes[i] = (uint8_t)value;
	}
}

static void set_up(void)
{
	ck_assert_int_eq(uuid_parse(key_id_text, key_id), 0);
	for (size_t i = 0; i < LAN_AUTH_NONCE; i++) {
		caller_nonce[i] = (uint8_t)i;
		answerer_nonce[i] = (uint8_t)(0x80 + i);
	}
	unhex(hello_hex, hello, sizeof(hello));
	unhex(challenge_hex, challenge, sizeof(challenge));
	unhex(response_hex, response, sizeof(response));
	unhex(status_hex, status, sizeof(status));
	unhex(refusal_hex, refusal, sizeof(refusal));
}

/* --- moving bytes as the owner of a connection does --- */

/* The secret is never in what another process can take over. */
static void check_no_secret(const struct lan_auth *la)
{
	ck_assert_ptr_null(memmem(la, sizeof(*la), secret, 8));
}

/* Give la what it asks for from bytes, in pieces that end at every multiple of step; returns how
 * many it took. */
static size_t feed(struct lan_auth *la, const uint8_t *bytes, size_t len, size_t step)
{
	size_t at = 0;
	while (at < len && lan_auth_need(la) == LAN_AUTH_NEED_RECV) {
		size_t room, piece = step - at % step;
		uint8_t *into = lan_auth_input(la, &room);
		ck_assert_uint_gt(room, 0);
		if (piece > room)
			piece = room;
		if (piece > len - at)
			piece = len - at;
		memcpy(into, bytes + at, piece);
		lan_auth_received(la, piece);
		check_no_secret(la);
		at += piece;
	}
	return at;
}

/* What la sends, in pieces of at most step; returns how much. */
static size_t drain(struct lan_auth *la, uint8_t out[LAN_AUTH_HELLO], size_t step)
{
	size_t at = 0;
	while (lan_auth_need(la) == LAN_AUTH_NEED_SEND) {
		size_t len;
		const uint8_t *bytes = lan_auth_output(la, &len);
		ck_assert_uint_gt(len, 0);
		if (len > step)
			len = step;
		ck_assert_uint_le(at + len, LAN_AUTH_HELLO);
		memcpy(out + at, bytes, len);
		lan_auth_sent(la, len);
		check_no_secret(la);
		at += len;
	}
	return at;
}

static void expect_output(struct lan_auth *la, const uint8_t *frame, size_t len, size_t step)
{
	uint8_t out[LAN_AUTH_HELLO];
	ck_assert_int_eq(lan_auth_need(la), LAN_AUTH_NEED_SEND);
	ck_assert_uint_eq(drain(la, out, step), len);
	ck_assert_mem_eq(out, frame, len);
}

static void expect_taken(struct lan_auth *la, const uint8_t *frame, size_t len, size_t step)
{
	ck_assert_int_eq(lan_auth_need(la), LAN_AUTH_NEED_RECV);
	ck_assert_uint_eq(feed(la, frame, len, step), len);
}

static void give_key(struct lan_auth *la)
{
	ck_assert_int_eq(lan_auth_need(la), LAN_AUTH_NEED_KEY);
	lan_auth_key(la, secret, SECRET_LEN);
	check_no_secret(la);
}

static void expect_failed(const struct lan_auth *la, enum lan_auth_fault fault, int error)
{
	ck_assert_int_eq(lan_auth_need(la), LAN_AUTH_FAILED);
	ck_assert_int_eq(la->fault, fault);
	ck_assert_int_eq(lan_auth_errno(la), error);
	ck_assert_uint_gt(strlen(lan_auth_why(la)), 0);
}

/* la refuses with a STATUS of this code, and is then done with. */
static void expect_refusal(struct lan_auth *la, enum lan_auth_code code, int error)
{
	uint8_t frame[LAN_AUTH_HEADER];
	memcpy(frame, refusal, sizeof(frame));
	frame[7] = (uint8_t)code;
	expect_output(la, frame, sizeof(frame), sizeof(frame));
	expect_failed(la, LAN_AUTH_FAULT_STATUS, error);
	ck_assert_int_eq(la->code, code);
}

/* A caller of the worked example that waits for the frame named. */
static void caller_at(struct lan_auth *la, bool at_status)
{
	lan_auth_caller(la, key_id, caller_nonce);
	expect_output(la, hello, sizeof(hello), sizeof(hello));
	if (!at_status)
		return;
	expect_taken(la, challenge, sizeof(challenge), sizeof(challenge));
	give_key(la);
	expect_output(la, response, sizeof(response), sizeof(response));
}

/* An answerer of the worked example that waits for the frame named. */
static void answerer_at(struct lan_auth *la, bool at_response)
{
	lan_auth_answerer(la, answerer_nonce);
	if (!at_response)
		return;
	expect_taken(la, hello, sizeof(hello), sizeof(hello));
	give_key(la);
	expect_output(la, challenge, sizeof(challenge), sizeof(challenge));
}

/* --- the worked example, in pieces of every size --- */

START_TEST(caller_example)
{
	size_t step = (size_t)_i;
	struct lan_auth la;
	lan_auth_caller(&la, key_id, caller_nonce);
	expect_output(&la, hello, sizeof(hello), step);
	expect_taken(&la, challenge, sizeof(challenge), step);
	give_key(&la);
	expect_output(&la, response, sizeof(response), step);
	expect_taken(&la, status, sizeof(status), step);
	give_key(&la);
	ck_assert_int_eq(lan_auth_need(&la), LAN_AUTH_DONE);
	ck_assert_int_eq(lan_auth_errno(&la), 0);
	ck_assert_int_eq(la.code, LAN_AUTH_OK);
}
END_TEST

START_TEST(answerer_example)
{
	size_t step = (size_t)_i;
	struct lan_auth la;
	lan_auth_answerer(&la, answerer_nonce);
	expect_taken(&la, hello, sizeof(hello), step);
	ck_assert_int_eq(lan_auth_need(&la), LAN_AUTH_NEED_KEY);
	ck_assert_mem_eq(lan_auth_key_id(&la), key_id, LAN_AUTH_KEY_ID);
	give_key(&la);
	expect_output(&la, challenge, sizeof(challenge), step);
	expect_taken(&la, response, sizeof(response), step);
	give_key(&la);
	ck_assert_int_eq(lan_auth_need(&la), LAN_AUTH_NEED_DECIDE);
	lan_auth_decide(&la, LAN_AUTH_OK, secret, SECRET_LEN);
	expect_output(&la, status, sizeof(status), step);
	ck_assert_int_eq(lan_auth_need(&la), LAN_AUTH_DONE);
}
END_TEST

START_TEST(refusal_example)
{
	struct lan_auth caller, answerer;
	answerer_at(&answerer, true);
	expect_taken(&answerer, response, sizeof(response), 1);
	give_key(&answerer);
	lan_auth_decide(&answerer, LAN_AUTH_UNREACHABLE, NULL, 0);
	expect_output(&answerer, refusal, sizeof(refusal), (size_t)_i);
	expect_failed(&answerer, LAN_AUTH_FAULT_STATUS, ECONNREFUSED);

	caller_at(&caller, true);
	expect_taken(&caller, refusal, sizeof(refusal), (size_t)_i);
	expect_failed(&caller, LAN_AUTH_FAULT_STATUS, ECONNREFUSED);
}
END_TEST

/* --- frames that are short or long --- */

struct wait {
	bool answerer, second;
	const uint8_t *frame;
	size_t len;
};
static const struct wait waits[] = {
	{true, false, hello, sizeof(hello)},
	{true, true, response, sizeof(response)},
	{false, false, challenge, sizeof(challenge)},
	{false, true, status, sizeof(status)},
};

static void begin_wait(struct lan_auth *la, const struct wait *wait)
{
	if (wait->answerer)
		answerer_at(la, wait->second);
	else
		caller_at(la, wait->second);
}

START_TEST(short_frame_is_waited_for)
{
	const struct wait *wait = &waits[_i];
	for (size_t len = 0; len < wait->len; len++) {
		struct lan_auth la;
		begin_wait(&la, wait);
		ck_assert_uint_eq(feed(&la, wait->frame, len, len + 1), len);
		ck_assert_int_eq(lan_auth_need(&la), LAN_AUTH_NEED_RECV);
		size_t room;
		lan_auth_input(&la, &room);
		ck_assert_uint_le(room, wait->len - len);
	}
}
END_TEST

START_TEST(bytes_after_a_frame_are_left_alone)
{
	const struct wait *wait = &waits[_i];
	uint8_t bytes[2 * LAN_AUTH_HELLO];
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, wait->frame, wait->len);
	struct lan_auth la;
	begin_wait(&la, wait);
	ck_assert_uint_eq(feed(&la, bytes, sizeof(bytes), sizeof(bytes)), wait->len);
	ck_assert_int_eq(lan_auth_need(&la), LAN_AUTH_NEED_KEY);
}
END_TEST

START_TEST(a_refusal_is_the_end_whatever_follows)
{
	uint8_t bytes[LAN_AUTH_STATUS];
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, refusal, sizeof(refusal));
	struct lan_auth la;
	caller_at(&la, _i);
	feed(&la, bytes, sizeof(bytes), sizeof(bytes));
	expect_failed(&la, LAN_AUTH_FAULT_STATUS, ECONNREFUSED);
}
END_TEST

/* --- every byte of every header, changed --- */

/* What an answerer makes of a header that is not a HELLO's: nothing is sent. A HELLO of another
 * version is told so. */
START_TEST(changed_header)
{
	const struct wait *wait = &waits[_i / LAN_AUTH_HEADER];
	size_t at = (size_t)_i % LAN_AUTH_HEADER;
	for (unsigned flip = 1; flip < 256; flip++) {
		uint8_t bytes[LAN_AUTH_HELLO];
		struct lan_auth la;
		memcpy(bytes, wait->frame, wait->len);
		bytes[at] ^= (uint8_t)flip;
		begin_wait(&la, wait);
		feed(&la, bytes, wait->len, wait->len);
		if (wait->frame == hello && at == 5) {
			expect_refusal(&la, LAN_AUTH_BAD_VERSION, EPROTO);
		} else if (wait->frame == status && at == 7 && bytes[7] <= LAN_AUTH_BAD_VERSION) {
			ck_assert_int_eq(la.fault, LAN_AUTH_FAULT_STATUS);
			ck_assert_int_eq(la.code, bytes[7]);
		} else {
			expect_failed(&la, LAN_AUTH_FAULT_PROTOCOL, EPROTO);
		}
	}
}
END_TEST

START_TEST(another_frame_out_of_order)
{
	static const struct wait frames[] = {
		{.frame = hello, .len = sizeof(hello)},
		{.frame = challenge, .len = sizeof(challenge)},
		{.frame = response, .len = sizeof(response)},
		{.frame = status, .len = sizeof(status)},
	};
	for (size_t i = 0; i < COUNT(frames); i++) {
		struct lan_auth la;
		if (frames[i].frame == waits[_i].frame)
			continue;
		begin_wait(&la, &waits[_i]);
		feed(&la, frames[i].frame, frames[i].len, frames[i].len);
		expect_failed(&la, LAN_AUTH_FAULT_PROTOCOL, EPROTO);
	}
}
END_TEST

START_TEST(peers_that_speak_something_else)
{
	static const char *const greetings[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
		"\x16\x03\x01\x02\x06\x01\x01\x01\xfc\x03\x03", "GSL2\x01\x01 but another magic"};
	for (size_t i = 0; i < COUNT(greetings); i++) {
		struct lan_auth la;
		begin_wait(&la, &waits[_i]);
		feed(&la, (const uint8_t *)greetings[i], strlen(greetings[i]), 3);
		expect_failed(&la, LAN_AUTH_FAULT_PROTOCOL, EPROTO);
	}
}
END_TEST

/* --- MACs --- */

START_TEST(changed_caller_mac)
{
	uint8_t bytes[LAN_AUTH_RESPONSE];
	struct lan_auth la;
	memcpy(bytes, response, sizeof(bytes));
	bytes[LAN_AUTH_HEADER + _i] ^= 1;
	answerer_at(&la, true);
	expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
	give_key(&la);
	expect_refusal(&la, LAN_AUTH_REFUSED, EACCES);
}
END_TEST

START_TEST(changed_answerer_mac)
{
	uint8_t bytes[LAN_AUTH_STATUS];
	struct lan_auth la;
	memcpy(bytes, status, sizeof(bytes));
	bytes[LAN_AUTH_HEADER + _i] ^= 1;
	caller_at(&la, true);
	expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
	give_key(&la);
	expect_failed(&la, LAN_AUTH_FAULT_MAC, EACCES);
}
END_TEST

/* Every byte of HELLO and CHALLENGE is under the MACs: changed on its way, it shows. */
START_TEST(changed_hello)
{
	uint8_t bytes[LAN_AUTH_HELLO];
	struct lan_auth la;
	memcpy(bytes, hello, sizeof(bytes));
	bytes[LAN_AUTH_HEADER + _i] ^= 1;
	lan_auth_answerer(&la, answerer_nonce);
	expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
	give_key(&la);
	expect_output(&la, challenge, sizeof(challenge), sizeof(challenge));
	expect_taken(&la, response, sizeof(response), sizeof(response));
	give_key(&la);
	expect_refusal(&la, LAN_AUTH_REFUSED, EACCES);
}
END_TEST

START_TEST(changed_challenge)
{
	uint8_t bytes[LAN_AUTH_CHALLENGE], out[LAN_AUTH_HELLO];
	struct lan_auth la;
	memcpy(bytes, challenge, sizeof(bytes));
	bytes[LAN_AUTH_HEADER + _i] ^= 1;
	caller_at(&la, false);
	expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
	give_key(&la);
	ck_assert_uint_eq(drain(&la, out, sizeof(out)), LAN_AUTH_RESPONSE);
	ck_assert_mem_ne(out + LAN_AUTH_HEADER, response + LAN_AUTH_HEADER, 32);
	expect_taken(&la, status, sizeof(status), sizeof(status));
	give_key(&la);
	expect_failed(&la, LAN_AUTH_FAULT_MAC, EACCES);
}
END_TEST

START_TEST(another_secret)
{
	struct lan_auth la;
	answerer_at(&la, true);
	expect_taken(&la, response, sizeof(response), sizeof(response));
	lan_auth_key(&la, secret, SECRET_LEN - 1);
	expect_refusal(&la, LAN_AUTH_REFUSED, EACCES);

	caller_at(&la, true);
	expect_taken(&la, status, sizeof(status), sizeof(status));
	lan_auth_key(&la, secret, SECRET_LEN - 1);
	expect_failed(&la, LAN_AUTH_FAULT_MAC, EACCES);
}
END_TEST

/* --- attacks --- */

START_TEST(replay_to_an_answerer)
{
	uint8_t nonce[LAN_AUTH_NONCE] = {1}, out[LAN_AUTH_HELLO];
	struct lan_auth la;
	lan_auth_answerer(&la, nonce);
	expect_taken(&la, hello, sizeof(hello), sizeof(hello));
	give_key(&la);
	ck_assert_uint_eq(drain(&la, out, sizeof(out)), LAN_AUTH_CHALLENGE);
	expect_taken(&la, response, sizeof(response), sizeof(response));
	give_key(&la);
	expect_refusal(&la, LAN_AUTH_REFUSED, EACCES);
}
END_TEST

START_TEST(replay_to_a_caller)
{
	uint8_t nonce[LAN_AUTH_NONCE] = {1}, out[LAN_AUTH_HELLO];
	struct lan_auth la;
	lan_auth_caller(&la, key_id, nonce);
	ck_assert_uint_eq(drain(&la, out, sizeof(out)), LAN_AUTH_HELLO);
	expect_taken(&la, challenge, sizeof(challenge), sizeof(challenge));
	give_key(&la);
	ck_assert_uint_eq(drain(&la, out, sizeof(out)), LAN_AUTH_RESPONSE);
	expect_taken(&la, status, sizeof(status), sizeof(status));
	give_key(&la);
	expect_failed(&la, LAN_AUTH_FAULT_MAC, EACCES);
}
END_TEST

/* A stranger who has no secret sends each side its own frames back, or those of another connection
 * of its own, with the types made to fit. */
START_TEST(reflection_to_a_caller)
{
	struct lan_auth la;
	uint8_t bytes[LAN_AUTH_STATUS], out[LAN_AUTH_HELLO];
	caller_at(&la, false);
	feed(&la, hello, sizeof(hello), sizeof(hello));
	expect_failed(&la, LAN_AUTH_FAULT_PROTOCOL, EPROTO);

	/* its nonce as the challenge, its MAC as the answer */
	caller_at(&la, false);
	memcpy(bytes, challenge, LAN_AUTH_HEADER);
	memcpy(bytes + LAN_AUTH_HEADER, caller_nonce, LAN_AUTH_NONCE);
	expect_taken(&la, bytes, LAN_AUTH_CHALLENGE, LAN_AUTH_CHALLENGE);
	give_key(&la);
	ck_assert_uint_eq(drain(&la, out, sizeof(out)), LAN_AUTH_RESPONSE);
	memcpy(out, status, LAN_AUTH_HEADER);
	expect_taken(&la, out, LAN_AUTH_STATUS, LAN_AUTH_STATUS);
	give_key(&la);
	expect_failed(&la, LAN_AUTH_FAULT_MAC, EACCES);
}
END_TEST

START_TEST(reflection_to_an_answerer)
{
	struct lan_auth la;
	uint8_t bytes[LAN_AUTH_RESPONSE];
	answerer_at(&la, true);
	feed(&la, challenge, sizeof(challenge), sizeof(challenge));
	expect_failed(&la, LAN_AUTH_FAULT_PROTOCOL, EPROTO);

	/* an answerer's MAC over the same frames is not a caller's */
	answerer_at(&la, true);
	memcpy(bytes, status, sizeof(bytes));
	memcpy(bytes, response, LAN_AUTH_HEADER);
	expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
	give_key(&la);
	expect_refusal(&la, LAN_AUTH_REFUSED, EACCES);
}
END_TEST

/* --- STATUS --- */

static const int errors[] = {
	[LAN_AUTH_REFUSED] = EACCES,         [LAN_AUTH_UNKNOWN_KEY] = EACCES,
	[LAN_AUTH_NOT_ACTIVE] = ENETUNREACH, [LAN_AUTH_UNREACHABLE] = ECONNREFUSED,
	[LAN_AUTH_TIMED_OUT] = ETIMEDOUT,    [LAN_AUTH_BUSY] = ECONNREFUSED,
	[LAN_AUTH_BAD_VERSION] = EPROTO,
};

START_TEST(status_codes)
{
	uint8_t bytes[LAN_AUTH_HEADER];
	struct lan_auth la;
	memcpy(bytes, refusal, sizeof(bytes));
	bytes[7] = (uint8_t)_i;
	for (int at_status = 0; at_status < 2; at_status++) {
		caller_at(&la, at_status);
		expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
		expect_failed(&la, LAN_AUTH_FAULT_STATUS, errors[_i]);
		ck_assert_int_eq(la.code, _i);
	}
	answerer_at(&la, true);
	expect_taken(&la, response, sizeof(response), sizeof(response));
	give_key(&la);
	lan_auth_decide(&la, (enum lan_auth_code)_i, NULL, 0);
	expect_refusal(&la, (enum lan_auth_code)_i, errors[_i]);
}
END_TEST

START_TEST(status_codes_that_are_none)
{
	static const uint16_t codes[] = {8, 255, 256, 257, 0xffff};
	for (size_t i = 0; i < COUNT(codes); i++) {
		uint8_t bytes[LAN_AUTH_HEADER];
		struct lan_auth la;
		memcpy(bytes, refusal, sizeof(bytes));
		bytes[6] = (uint8_t)(codes[i] >> 8);
		bytes[7] = (uint8_t)codes[i];
		caller_at(&la, _i);
		expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
		expect_failed(&la, LAN_AUTH_FAULT_PROTOCOL, EPROTO);
	}
}
END_TEST

START_TEST(unknown_key)
{
	struct lan_auth la;
	answerer_at(&la, false);
	expect_taken(&la, hello, sizeof(hello), sizeof(hello));
	lan_auth_key(&la, NULL, 0);
	expect_refusal(&la, LAN_AUTH_UNKNOWN_KEY, EACCES);
}
END_TEST

START_TEST(refused_early)
{
	struct lan_auth la;
	answerer_at(&la, false);
	expect_taken(&la, hello, sizeof(hello), sizeof(hello));
	lan_auth_decide(&la, LAN_AUTH_BUSY, NULL, 0);
	expect_refusal(&la, LAN_AUTH_BUSY, ECONNREFUSED);

	answerer_at(&la, true);
	expect_taken(&la, response, sizeof(response), sizeof(response));
	lan_auth_decide(&la, LAN_AUTH_NOT_ACTIVE, NULL, 0);
	expect_refusal(&la, LAN_AUTH_NOT_ACTIVE, ENETUNREACH);
}
END_TEST

/* Nobody is accepted who has not proved himself, whatever the owner says. */
START_TEST(not_accepted_early)
{
	struct lan_auth la;
	answerer_at(&la, false);
	expect_taken(&la, hello, sizeof(hello), sizeof(hello));
	lan_auth_decide(&la, LAN_AUTH_OK, secret, SECRET_LEN);
	expect_refusal(&la, LAN_AUTH_REFUSED, EACCES);

	answerer_at(&la, true);
	expect_taken(&la, response, sizeof(response), sizeof(response));
	lan_auth_decide(&la, LAN_AUTH_OK, secret, SECRET_LEN);
	expect_refusal(&la, LAN_AUTH_REFUSED, EACCES);
}
END_TEST

/* --- the two roles with each other --- */

/* Another process takes over after every byte: all it has is a copy of the struct. */
static void take_over(struct lan_auth *la)
{
	static struct lan_auth copy;
	copy = *la;
	memset(la, 0xa5, sizeof(*la));
	*la = copy;
}

static void turn(struct lan_auth *from, struct lan_auth *to, size_t step, const void *key,
		 size_t key_len)
{
	while (lan_auth_need(from) == LAN_AUTH_NEED_SEND) {
		size_t len, room;
		const uint8_t *bytes = lan_auth_output(from, &len);
		uint8_t *into = lan_auth_input(to, &room);
		if (len > room)
			len = room;
		if (len > step)
			len = step;
		memcpy(into, bytes, len);
		lan_auth_sent(from, len);
		lan_auth_received(to, len);
		take_over(from);
		take_over(to);
	}
	if (lan_auth_need(to) == LAN_AUTH_NEED_KEY)
		lan_auth_key(to, key, key_len);
	if (lan_auth_need(to) == LAN_AUTH_NEED_DECIDE)
		lan_auth_decide(to, LAN_AUTH_OK, key, key_len);
}

START_TEST(both_roles)
{
	static const size_t key_lens[] = {1, 32, 64, 65, LAN_AUTH_KEY_MAX};
	uint8_t key[LAN_AUTH_KEY_MAX];
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < COUNT(key_lens); i++) {
		struct lan_auth caller, answerer;
		lan_auth_caller(&caller, key_id, caller_nonce);
		lan_auth_answerer(&answerer, answerer_nonce);
		for (int round = 0; round < 2; round++) {
			turn(&caller, &answerer, (size_t)_i, key, key_lens[i]);
			turn(&answerer, &caller, (size_t)_i, key, key_lens[i]);
		}
		ck_assert_int_eq(lan_auth_need(&caller), LAN_AUTH_DONE);
		ck_assert_int_eq(lan_auth_need(&answerer), LAN_AUTH_DONE);
	}
}
END_TEST

START_TEST(secret_too_long)
{
	uint8_t key[LAN_AUTH_KEY_MAX + 1] = {0};
	struct lan_auth la;
	caller_at(&la, false);
	expect_taken(&la, challenge, sizeof(challenge), sizeof(challenge));
	lan_auth_key(&la, key, sizeof(key));
	expect_failed(&la, LAN_AUTH_FAULT_MAC, EACCES);
}
END_TEST

START_TEST(names)
{
	for (int code = 0; code <= LAN_AUTH_BAD_VERSION; code++)
		for (int other = 0; other < code; other++)
			ck_assert_str_ne(lan_auth_code_name((enum lan_auth_code)code),
					 lan_auth_code_name((enum lan_auth_code)other));
	ck_assert_str_eq(lan_auth_code_name(LAN_AUTH_REFUSED), "authentication failed");
	ck_assert_ptr_nonnull(lan_auth_code_name((enum lan_auth_code)8));
	ck_assert_ptr_nonnull(lan_auth_code_name((enum lan_auth_code) - 1));
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_frames(Suite *suite)
{
	TCase *frames = add_case(suite, "frames");
	tcase_add_loop_test(frames, short_frame_is_waited_for, 0, COUNT(waits));
	tcase_add_loop_test(frames, bytes_after_a_frame_are_left_alone, 0, COUNT(waits));
	tcase_add_loop_test(frames, a_refusal_is_the_end_whatever_follows, 0, 2);
	tcase_add_loop_test(frames, changed_header, 0, COUNT(waits) * LAN_AUTH_HEADER);
	tcase_add_loop_test(frames, another_frame_out_of_order, 0, COUNT(waits));
	tcase_add_loop_test(frames, peers_that_speak_something_else, 0, COUNT(waits));
}

static void add_macs(Suite *suite)
{
	TCase *macs = add_case(suite, "macs");
	tcase_add_loop_test(macs, changed_caller_mac, 0, 32);
	tcase_add_loop_test(macs, changed_answerer_mac, 0, 32);
	tcase_add_loop_test(macs, changed_hello, 0, LAN_AUTH_HELLO - LAN_AUTH_HEADER);
	tcase_add_loop_test(macs, changed_challenge, 0, LAN_AUTH_CHALLENGE - LAN_AUTH_HEADER);
	tcase_add_test(macs, another_secret);
	tcase_add_test(macs, replay_to_an_answerer);
	tcase_add_test(macs, replay_to_a_caller);
	tcase_add_test(macs, reflection_to_a_caller);
	tcase_add_test(macs, reflection_to_an_answerer);
	tcase_add_test(macs, secret_too_long);
}

static void add_status(Suite *suite)
{
	TCase *codes = add_case(suite, "status");
	tcase_add_loop_test(codes, status_codes, LAN_AUTH_REFUSED, LAN_AUTH_BAD_VERSION + 1);
	tcase_add_loop_test(codes, status_codes_that_are_none, 0, 2);
	tcase_add_test(codes, unknown_key);
	tcase_add_test(codes, refused_early);
	tcase_add_test(codes, not_accepted_early);
	tcase_add_test(codes, names);
}

Suite *test_suite(void)
{
	Suite *suite = suite_create("lan_auth");
	TCase *example = add_case(suite, "example");
	tcase_add_loop_test(example, caller_example, 1, LAN_AUTH_HELLO + 1);
	tcase_add_loop_test(example, answerer_example, 1, LAN_AUTH_HELLO + 1);
	tcase_add_loop_test(example, refusal_example, 1, LAN_AUTH_HEADER + 1);
	tcase_add_loop_test(example, both_roles, 1, LAN_AUTH_HELLO + 1);
	add_frames(suite);
	add_macs(suite);
	add_status(suite);
	return suite;
}
