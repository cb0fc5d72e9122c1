/* JSON from services: fields by table, error answers in all their shapes, times. */

#include "cli/service/answer.h"

#include <stdlib.h>
#include <string.h>

#include "cli/base/timestamp.h"
#include "cli/service/json.h"
#include "tests/unit/suite.h"

struct out {
	const char *text, *uuid;
	int64_t number, port;
	bool boolean;
	const cJSON *object, *array;
};

static const struct json_field fields[] = {
	{"a.text", JSON_TEXT, true, offsetof(struct out, text)},
	{"uuid", JSON_UUID, false, offsetof(struct out, uuid)},
	{"number", JSON_INTEGER, false, offsetof(struct out, number)},
	{"port", JSON_PORT, false, offsetof(struct out, port)},
	{"boolean", JSON_BOOLEAN, false, offsetof(struct out, boolean)},
	{"object", JSON_OBJECT, false, offsetof(struct out, object)},
	{"array", JSON_ARRAY, false, offsetof(struct out, array)},
};

static const char *read_fault(const char *text, struct out *out)
{
	const char *at = NULL;
	cJSON *document = json_parse(text, strlen(text));
	ck_assert_ptr_nonnull(document);
	*out = (struct out){.number = 9};
	int err = json_read(document, fields, COUNT(fields), out, &at);
	if (!err && out->text)
		ck_assert_str_eq(out->text, "x");
	json_wipe(document);
	return err ? at : NULL;
}

START_TEST(test_fields)
{
	struct out out;
	ck_assert_ptr_null(read_fault("{\"a\":{\"text\":\"x\"}}", &out));
	ck_assert_int_eq(out.number, 9);
	ck_assert_ptr_null(read_fault("{\"a\":{\"text\":\"x\"},\"number\":null,\"new\":1}", &out));
	ck_assert_int_eq(out.number, 9);
	ck_assert_ptr_null(read_fault("{\"a\":{\"text\":\"x\"},\"number\":-3,\"port\":65535,"
				      "\"boolean\":true,\"object\":{},\"array\":[],"
				      "\"uuid\":\"0E8A675B-6b84-4220-89e4-a6a7a0d823fb\"}",
				      &out));
	ck_assert(out.number == -3 && out.port == 65535 && out.boolean);
}
END_TEST

static const struct {
	const char *text, *fault;
} wrong[] = {
	{"{}", "a.text"},
	{"[]", "a.text"},
	{"{\"a\":[]}", "a.text"},
	{"{\"a\":{\"text\":null}}", "a.text"},
	{"{\"a\":{\"text\":5}}", "a.text"},
	{"{\"a\":{\"text\":\"x\"},\"uuid\":\"x\"}", "uuid"},
	{"{\"a\":{\"text\":\"x\"},\"number\":\"3\"}", "number"},
	{"{\"a\":{\"text\":\"x\"},\"number\":3.5}", "number"},
	{"{\"a\":{\"text\":\"x\"},\"number\":1e300}", "number"},
	{"{\"a\":{\"text\":\"x\"},\"port\":0}", "port"},
	{"{\"a\":{\"text\":\"x\"},\"port\":65536}", "port"},
	{"{\"a\":{\"text\":\"x\"},\"boolean\":1}", "boolean"},
	{"{\"a\":{\"text\":\"x\"},\"object\":[]}", "object"},
	{"{\"a\":{\"text\":\"x\"},\"array\":{}}", "array"},
};

START_TEST(test_wrong_fields)
{
	struct out out;
	ck_assert_str_eq(read_fault(wrong[_i].text, &out), wrong[_i].fault);
}
END_TEST

START_TEST(test_parse)
{
	static const char *const bad[] = {"", " ", "{", "{}x", "nul", "<html>", "{\"a\":}", "[1,]"};
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_ptr_null(json_parse(bad[i], strlen(bad[i])));
	static const char whole[] = "{\"data\":[{\"id\":\"x\",\"n\":-1.5e3,\"t\":[true,null]}]}";
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		ck_assert_ptr_null(json_parse(whole, len));
	cJSON *document = json_parse(" {} \n", 5);
	ck_assert(cJSON_IsObject(document));
	json_wipe(document);
	json_wipe(NULL);
}
END_TEST

static const struct {
	const char *text, *message;
} messages[] = {
	{"{\"errors\":[{\"code\":\"NOT_FOUND\",\"title\":\"Not Found\",\"detail\":\"no x\"}]}",
	 "NOT_FOUND: Not Found: no x"},
	{"{\"errors\":[{\"detail\":\"one\"},{\"message\":\"two\"}]}", "one; two"},
	{"{\"detail\":[{\"loc\":[\"body\",0,\"label\"],\"msg\":\"too long\",\"type\":\"t\"}]}",
	 "body[0].label: too long"},
	{"{\"code\":\"x\",\"message\":\"y\",\"request_id\":\"z\"}", "x: y"},
	{"{\"detail\":\"Not Found\"}", "Not Found"},
	{"{\"error\":\"invalid_grant\",\"error_description\":\"over\"}", "invalid_grant: over"},
	{"{\"error\":\"invalid_client\"}", "invalid_client"},
	{"{\"errors\":\"x\"}", NULL},
	{"{\"errors\":[5,null,{}]}", NULL},
	{"{}", NULL},
	{"[]", NULL},
};

START_TEST(test_messages)
{
	cJSON *document = json_parse(messages[_i].text, strlen(messages[_i].text));
	char *message = answer_message(document);
	ck_assert_pstr_eq(message, messages[_i].message);
	free(message);
	cJSON_Delete(document);
}
END_TEST

START_TEST(test_long_message)
{
	char text[9000] = "{\"message\":\"";
	memset(text + strlen(text), 'x', 8000);
	strcat(text, "\"}");
	cJSON *document = json_parse(text, strlen(text));
	char *message = answer_message(document);
	ck_assert_uint_le(strlen(message), 600);
	free(message);
	cJSON_Delete(document);
	ck_assert_ptr_null(answer_message(NULL));
}
END_TEST

static const struct {
	const char *text, *scopes, *domains;
	bool any;
} demanded[] = {
	{"{}", NULL, NULL, false},
	{"{\"code\":\"Forbidden\",\"required_scopes\":[\"a\"]}", NULL, NULL, false},
	{"{\"code\":\"ConsentRequired\",\"required_scopes\":[\"a\",\"b\",5]}", "a b", NULL, true},
	{"{\"code\":\"ConsentRequired\",\"required_scope\":\"a\"}", "a", NULL, true},
	{"{\"errors\":[{\"code\":\"ConsentRequired\",\"required_scopes\":[\"a\"]}]}", "a", NULL,
	 true},
	{"{\"error\":\"dependent_consent_required\"}", NULL, NULL, true},
	{"{\"detail\":{\"DATA_TYPE\":\"not_from_allowed_domain#1.0.0\",\"allowed_domains\":[\"a\"]}"
	 "}",
	 NULL, "a", true},
	/* What is in the parameters counts, and is not asked for twice. */
	{"{\"authorization_parameters\":{\"session_required_single_domain\":[\"a\"]},\"detail\":{"
	 "\"DATA_TYPE\":\"not_from_allowed_domain#1.0.0\",\"allowed_domains\":[\"a\"]}}",
	 NULL, "a", true},
	{"{\"detail\":{\"DATA_TYPE\":\"authentication_timeout#1.1.0\",\"identities\":7}}", NULL,
	 NULL, true},
	{"{\"detail\":{\"DATA_TYPE\":\"check_result#1.0.0\"}}", NULL, NULL, false},
	{"{\"detail\":\"authentication_timeout#1.1.0\"}", NULL, NULL, false},
	{"{\"authorization_parameters\":{\"required_scopes\":[\"a\"],"
	 "\"session_required_single_domain\":[\"x.org\",\"y.org\"]}}",
	 "a", "x.org,y.org", true},
	{"{\"detail\":{\"authorization_parameters\":{\"session_required_single_domain\":\"x\"}}}",
	 NULL, "x", true},
	{"{\"authorization_parameters\":[]}", NULL, NULL, false},
};

START_TEST(test_demands)
{
	struct demands demands;
	cJSON *document = json_parse(demanded[_i].text, strlen(demanded[_i].text));
	answer_demands(document, &demands);
	ck_assert(demands.any == demanded[_i].any);
	ck_assert_pstr_eq(demands.scopes, demanded[_i].scopes);
	ck_assert_pstr_eq(demands.domains, demanded[_i].domains);
	demands_finish(&demands);
	cJSON_Delete(document);
}
END_TEST

START_TEST(test_times)
{
	static const char *const same[] = {
		"2026-01-31T10:00:00Z", "2026-01-31T10:00:00+00:00", "2026-01-31T10:00:00.25+0000",
		"2026-01-31 10:00:00",  "2026-01-31T12:30:00+02:30", "2026-01-31T09:00:00-01:00",
	};
	static const char *const bad[] = {
		"",
		"now",
		"2026-01-31",
		"2026-13-31T10:00:00Z",
		"2026-01-31T25:00:00Z",
		"2026-01-31T10:00:00X",
		"2026-01-31T10:00:00+1",
		"2026-01-31T10:00:00.Z",
		"2026-01-31T10:00:00Z more",
		"-026-01-31T10:00:00Z",
	};
	int64_t seconds;
	for (size_t i = 0; i < COUNT(same); i++) {
		ck_assert_int_eq(timestamp_parse(same[i], &seconds), 0);
		ck_assert_int_eq(seconds, 1769853600);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_lt(timestamp_parse(bad[i], &seconds), 0);
}
END_TEST

START_TEST(http_times)
{
	static const char *const bad[] = {
		"",
		"now",
		"Sun Nov  6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 ovD 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 32 Nov 1994 08:49:37 GMT",
	};
	int64_t seconds = 0;
	ck_assert_int_eq(timestamp_http("Sun, 06 Nov 1994 08:49:37 GMT\r\n", &seconds), 0);
	ck_assert_int_eq(seconds, 784111777);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_lt(timestamp_http(bad[i], &seconds), 0);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("answer");
	TCase *cases = tcase_create("answer");
	tcase_add_test(cases, test_fields);
	tcase_add_loop_test(cases, test_wrong_fields, 0, COUNT(wrong));
	tcase_add_test(cases, test_parse);
	tcase_add_loop_test(cases, test_messages, 0, COUNT(messages));
	tcase_add_test(cases, test_long_message);
	tcase_add_loop_test(cases, test_demands, 0, COUNT(demanded));
	tcase_add_test(cases, test_times);
	tcase_add_test(cases, http_times);
	suite_add_tcase(suite, cases);
	return suite;
}
