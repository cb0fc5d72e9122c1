#include "tests/unit/lan_auth_example.h"

#include <stdio.h>
#include <string.h>

#include "protocol/contact.h"
#include "tests/unit/suite.h"

const char secret[] = "e7a1c0ffee5ec2e7d15ea5ed0ddba11c0decafe0123456789abcdef00facade5";
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

uint8_t key_id[LAN_AUTH_KEY_ID], caller_nonce[LAN_AUTH_NONCE], answerer_nonce[LAN_AUTH_NONCE];
uint8_t hello[LAN_AUTH_HELLO], challenge[LAN_AUTH_CHALLENGE], response[LAN_AUTH_RESPONSE],
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

void example_set_up(void)
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

/* The secret is never in what another process can take over. */
static void check_no_secret(const struct lan_auth *la)
{
	ck_assert_ptr_null(memmem(la, sizeof(*la), secret, 8));
}

size_t feed(struct lan_auth *la, const uint8_t *bytes, size_t len, size_t step)
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

size_t drain(struct lan_auth *la, uint8_t out[LAN_AUTH_HELLO], size_t step)
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

void expect_output(struct lan_auth *la, const uint8_t *frame, size_t len, size_t step)
{
	uint8_t out[LAN_AUTH_HELLO];
	ck_assert_int_eq(lan_auth_need(la), LAN_AUTH_NEED_SEND);
	ck_assert_uint_eq(drain(la, out, step), len);
	ck_assert_mem_eq(out, frame, len);
}

void expect_taken(struct lan_auth *la, const uint8_t *frame, size_t len, size_t step)
{
	ck_assert_int_eq(lan_auth_need(la), LAN_AUTH_NEED_RECV);
	ck_assert_uint_eq(feed(la, frame, len, step), len);
}

void give_key(struct lan_auth *la, size_t len)
{
	ck_assert_int_eq(lan_auth_need(la), LAN_AUTH_NEED_KEY);
	lan_auth_key(la, secret, len);
	check_no_secret(la);
}

void expect_failed(const struct lan_auth *la, enum lan_auth_fault fault, int error)
{
	ck_assert_int_eq(lan_auth_need(la), LAN_AUTH_FAILED);
	ck_assert_int_eq(la->fault, fault);
	ck_assert_int_eq(lan_auth_errno(la), error);
	ck_assert_uint_gt(strlen(lan_auth_why(la)), 0);
}

void expect_refusal(struct lan_auth *la, enum lan_auth_code code, int error)
{
	uint8_t frame[LAN_AUTH_HEADER];
	memcpy(frame, refusal, sizeof(frame));
	frame[7] = (uint8_t)code;
	expect_output(la, frame, sizeof(frame), sizeof(frame));
	expect_failed(la, LAN_AUTH_FAULT_STATUS, error);
	ck_assert_int_eq(la->code, code);
}

const struct wait waits[] = {
	[AT_HELLO] = {true, false, hello, sizeof(hello)},
	[AT_RESPONSE] = {true, true, response, sizeof(response)},
	[AT_CHALLENGE] = {false, false, challenge, sizeof(challenge)},
	[AT_STATUS] = {false, true, status, sizeof(status)},
};

void begin_wait(struct lan_auth *la, const struct wait *wait)
{
	if (wait->second) {
		end_wait(la, wait - 1);
		give_key(la, SECRET_LEN);
		if (wait->answerer)
			expect_output(la, challenge, sizeof(challenge), sizeof(challenge));
		else
			expect_output(la, response, sizeof(response), sizeof(response));
	} else if (wait->answerer) {
		lan_auth_answerer(la, answerer_nonce);
	} else {
		lan_auth_caller(la, key_id, caller_nonce);
		expect_output(la, hello, sizeof(hello), sizeof(hello));
	}
}

void end_wait(struct lan_auth *la, const struct wait *wait)
{
	begin_wait(la, wait);
	expect_taken(la, wait->frame, wait->len, wait->len);
}
