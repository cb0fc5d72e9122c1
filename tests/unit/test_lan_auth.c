/*
 * LAN authentication: the worked example of globus-streams-lan-auth(7) for both roles, and what
 * either role makes of other frames and codes. What it makes of other MACs: test_lan_auth_macs.c.
 */

#include <errno.h>
#include <string.h>

#include "tests/unit/lan_auth_example.h"
#include "tests/unit/suite.h"

/* --- the worked example, in pieces of every size --- */

START_TEST(caller_example)
{
	size_t step = (size_t)_i;
	struct lan_auth la;
	lan_auth_caller(&la, key_id, caller_nonce);
	expect_output(&la, hello, sizeof(hello), step);
	expect_taken(&la, challenge, sizeof(challenge), step);
	give_key(&la, SECRET_LEN);
	expect_output(&la, response, sizeof(response), step);
	expect_taken(&la, status, sizeof(status), step);
	give_key(&la, SECRET_LEN);
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
	give_key(&la, SECRET_LEN);
	expect_output(&la, challenge, sizeof(challenge), step);
	expect_taken(&la, response, sizeof(response), step);
	give_key(&la, SECRET_LEN);
	ck_assert_int_eq(lan_auth_need(&la), LAN_AUTH_NEED_DECIDE);
	lan_auth_decide(&la, LAN_AUTH_OK, secret, SECRET_LEN);
	expect_output(&la, status, sizeof(status), step);
	ck_assert_int_eq(lan_auth_need(&la), LAN_AUTH_DONE);
}
END_TEST

START_TEST(refusal_example)
{
	struct lan_auth caller, answerer;
	end_wait(&answerer, &waits[AT_RESPONSE]);
	give_key(&answerer, SECRET_LEN);
	lan_auth_decide(&answerer, LAN_AUTH_UNREACHABLE, NULL, 0);
	expect_output(&answerer, refusal, sizeof(refusal), (size_t)_i);
	expect_failed(&answerer, LAN_AUTH_FAULT_STATUS, ECONNREFUSED);

	begin_wait(&caller, &waits[AT_STATUS]);
	expect_taken(&caller, refusal, sizeof(refusal), (size_t)_i);
	expect_failed(&caller, LAN_AUTH_FAULT_STATUS, ECONNREFUSED);
}
END_TEST

/* --- frames that are short or long --- */

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
	begin_wait(&la, &waits[AT_CHALLENGE + _i]);
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

/* One's own frames sent back are among them. */
START_TEST(another_frame_out_of_order)
{
	for (size_t i = 0; i < WAITS; i++) {
		struct lan_auth la;
		if (i == (size_t)_i)
			continue;
		begin_wait(&la, &waits[_i]);
		feed(&la, waits[i].frame, waits[i].len, waits[i].len);
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
		begin_wait(&la, &waits[AT_CHALLENGE + at_status]);
		expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
		expect_failed(&la, LAN_AUTH_FAULT_STATUS, errors[_i]);
		ck_assert_int_eq(la.code, _i);
	}
	end_wait(&la, &waits[AT_RESPONSE]);
	give_key(&la, SECRET_LEN);
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
		begin_wait(&la, &waits[AT_CHALLENGE + _i]);
		expect_taken(&la, bytes, sizeof(bytes), sizeof(bytes));
		expect_failed(&la, LAN_AUTH_FAULT_PROTOCOL, EPROTO);
	}
}
END_TEST

START_TEST(unknown_key)
{
	struct lan_auth la;
	end_wait(&la, &waits[AT_HELLO]);
	lan_auth_key(&la, NULL, 0);
	expect_refusal(&la, LAN_AUTH_UNKNOWN_KEY, EACCES);
}
END_TEST

/* What the owner may say before the caller has proved himself: nobody is accepted so early. */
static const struct {
	int at;
	enum lan_auth_code decided, said;
} early[] = {
	{AT_HELLO, LAN_AUTH_BUSY, LAN_AUTH_BUSY},
	{AT_RESPONSE, LAN_AUTH_NOT_ACTIVE, LAN_AUTH_NOT_ACTIVE},
	{AT_HELLO, LAN_AUTH_OK, LAN_AUTH_REFUSED},
	{AT_RESPONSE, LAN_AUTH_OK, LAN_AUTH_REFUSED},
};

START_TEST(decided_early)
{
	struct lan_auth la;
	bool accepts = early[_i].decided == LAN_AUTH_OK;
	end_wait(&la, &waits[early[_i].at]);
	lan_auth_decide(&la, early[_i].decided, accepts ? secret : NULL, accepts ? SECRET_LEN : 0);
	expect_refusal(&la, early[_i].said, errors[early[_i].said]);
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

static void add_frames(Suite *suite)
{
	TCase *frames = add_case(suite, "frames", example_set_up, NULL);
	tcase_add_loop_test(frames, short_frame_is_waited_for, 0, WAITS);
	tcase_add_loop_test(frames, bytes_after_a_frame_are_left_alone, 0, WAITS);
	tcase_add_loop_test(frames, a_refusal_is_the_end_whatever_follows, 0, 2);
	tcase_add_loop_test(frames, changed_header, 0, WAITS * LAN_AUTH_HEADER);
	tcase_add_loop_test(frames, another_frame_out_of_order, 0, WAITS);
	tcase_add_loop_test(frames, peers_that_speak_something_else, 0, WAITS);
}

static void add_status(Suite *suite)
{
	TCase *codes = add_case(suite, "status", example_set_up, NULL);
	tcase_add_loop_test(codes, status_codes, LAN_AUTH_REFUSED, LAN_AUTH_BAD_VERSION + 1);
	tcase_add_loop_test(codes, status_codes_that_are_none, 0, 2);
	tcase_add_test(codes, unknown_key);
	tcase_add_loop_test(codes, decided_early, 0, COUNT(early));
	tcase_add_test(codes, names);
}

Suite *test_suite(void)
{
	Suite *suite = suite_create("lan_auth");
	TCase *example = add_case(suite, "example", example_set_up, NULL);
	tcase_add_loop_test(example, caller_example, 1, LAN_AUTH_HELLO + 1);
	tcase_add_loop_test(example, answerer_example, 1, LAN_AUTH_HELLO + 1);
	tcase_add_loop_test(example, refusal_example, 1, LAN_AUTH_HEADER + 1);
	tcase_add_loop_test(example, both_roles, 1, LAN_AUTH_HELLO + 1);
	add_frames(suite);
	add_status(suite);
	return suite;
}
