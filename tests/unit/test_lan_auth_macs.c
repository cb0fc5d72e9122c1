/* LAN authentication: what does not come from who holds the secret, in this very handshake. */

#include <errno.h>
#include <string.h>

#include "tests/unit/lan_auth_example.h"
#include "tests/unit/suite.h"

enum { CALLER, ANSWERER, ROLES };

/* What a role has and is given in a handshake: the worked example's, until a test changes it. */
struct given {
	bool answerer;
	uint8_t nonce[LAN_AUTH_NONCE];
	uint8_t first[LAN_AUTH_HELLO], second[LAN_AUTH_STATUS]; /* frames */
	size_t key_len;                                         /* of the secret, for the second */
};

static struct given given_to(int role)
{
	const struct wait *first = &waits[role == ANSWERER ? AT_HELLO : AT_CHALLENGE];
	struct given given = {.answerer = role == ANSWERER, .key_len = SECRET_LEN};
	memcpy(given.nonce, given.answerer ? answerer_nonce : caller_nonce, sizeof(given.nonce));
	memcpy(given.first, first->frame, first->len);
	memcpy(given.second, first[1].frame, first[1].len);
	return given;
}

/* The handshake as far as the second frame. said: the CHALLENGE or RESPONSE. */
static void begin(struct lan_auth *la, const struct given *given, uint8_t said[LAN_AUTH_HELLO])
{
	size_t first = given->answerer ? LAN_AUTH_HELLO : LAN_AUTH_CHALLENGE;
	if (given->answerer) {
		lan_auth_answerer(la, given->nonce);
	} else {
		lan_auth_caller(la, key_id, given->nonce);
		ck_assert_uint_eq(drain(la, said, LAN_AUTH_HELLO), LAN_AUTH_HELLO);
	}
	expect_taken(la, given->first, first, first);
	give_key(la, SECRET_LEN);
	ck_assert_uint_eq(drain(la, said, LAN_AUTH_HELLO), sizeof(given->second));
	if (given->answerer)
		ck_assert_mem_eq(said + LAN_AUTH_HEADER, given->nonce, LAN_AUTH_NONCE);
}

/* The second frame proves nothing. */
static void expect_no_proof(struct lan_auth *la, const struct given *given)
{
	expect_taken(la, given->second, sizeof(given->second), sizeof(given->second));
	give_key(la, given->key_len);
	if (given->answerer)
		expect_refusal(la, LAN_AUTH_REFUSED, EACCES);
	else
		expect_failed(la, LAN_AUTH_FAULT_MAC, EACCES);
}

/* Every byte is a MAC's or under one: changed on its way, it shows. */
START_TEST(changed_byte)
{
	const struct wait *wait = &waits[_i];
	for (size_t at = LAN_AUTH_HEADER; at < wait->len; at++) {
		struct given given = given_to(wait->answerer ? ANSWERER : CALLER);
		struct lan_auth la;
		uint8_t said[LAN_AUTH_HELLO];
		(wait->second ? given.second : given.first)[at] ^= 1;
		begin(&la, &given, said);
		if (_i == AT_CHALLENGE)
			ck_assert_mem_ne(said + LAN_AUTH_HEADER, response + LAN_AUTH_HEADER, 32);
		expect_no_proof(&la, &given);
	}
}
END_TEST

START_TEST(another_secret)
{
	struct given given = given_to(_i);
	struct lan_auth la;
	uint8_t said[LAN_AUTH_HELLO];
	given.key_len--;
	begin(&la, &given, said);
	expect_no_proof(&la, &given);
}
END_TEST

START_TEST(secret_too_long)
{
	uint8_t key[LAN_AUTH_KEY_MAX + 1] = {0};
	struct lan_auth la;
	end_wait(&la, &waits[AT_CHALLENGE]);
	lan_auth_key(&la, key, sizeof(key));
	expect_failed(&la, LAN_AUTH_FAULT_MAC, EACCES);
}
END_TEST

/* The frames of another connection, played again. */
START_TEST(replay)
{
	struct given given = given_to(_i);
	struct lan_auth la;
	uint8_t said[LAN_AUTH_HELLO];
	memset(given.nonce, 0, sizeof(given.nonce));
	given.nonce[0] = 1;
	begin(&la, &given, said);
	expect_no_proof(&la, &given);
}
END_TEST

/* A stranger who has no secret sends each side its own frames back, or those of another connection
 * of its own, with the types made to fit. */
START_TEST(reflection_to_a_caller)
{
	struct given given = given_to(CALLER);
	struct lan_auth la;
	uint8_t said[LAN_AUTH_HELLO];
	memcpy(given.first + LAN_AUTH_HEADER, caller_nonce, LAN_AUTH_NONCE);
	begin(&la, &given, said);
	memcpy(given.second + LAN_AUTH_HEADER, said + LAN_AUTH_HEADER, 32);
	expect_no_proof(&la, &given);
}
END_TEST

/* An answerer's MAC over the same frames is not a caller's. */
START_TEST(reflection_to_an_answerer)
{
	struct given given = given_to(ANSWERER);
	struct lan_auth la;
	uint8_t said[LAN_AUTH_HELLO];
	memcpy(given.second + LAN_AUTH_HEADER, status + LAN_AUTH_HEADER, 32);
	begin(&la, &given, said);
	expect_no_proof(&la, &given);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("lan_auth_macs");
	TCase *macs = add_case(suite, "macs", example_set_up, NULL);
	tcase_add_loop_test(macs, changed_byte, 0, WAITS);
	tcase_add_loop_test(macs, another_secret, 0, ROLES);
	tcase_add_test(macs, secret_too_long);
	tcase_add_loop_test(macs, replay, 0, ROLES);
	tcase_add_test(macs, reflection_to_a_caller);
	tcase_add_test(macs, reflection_to_an_answerer);
	return suite;
}
