/* The parts of a login that are pure: PKCE and the redirect's parameters. */

#include "cli/service/loopback.h"

#include <errno.h>
#include <string.h>

#include "cli/service/pkce.h"
#include "tests/unit/suite.h"

START_TEST(test_pkce)
{
	struct pkce one, two;
	char challenge[PKCE_TEXT];
	/* RFC 7636, appendix B */
	ck_assert_int_eq(pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge),
			 0);
	ck_assert_str_eq(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	ck_assert_int_eq(pkce_init(&one), 0);
	ck_assert_int_eq(pkce_init(&two), 0);
	ck_assert_uint_eq(strlen(one.verifier), 43);
	ck_assert_str_ne(one.verifier, two.verifier);
	ck_assert_str_ne(one.verifier, one.state);
	ck_assert_int_eq(pkce_challenge(one.verifier, challenge), 0);
	ck_assert_str_eq(challenge, one.challenge);
}
END_TEST

static const struct {
	const char *target, *value;
	int err;
} parameters[] = {
	{"/?code=abc&state=x", "abc", 0},
	{"/?state=x&code=abc", "abc", 0},
	{"/any/path?code=a%2Fb+c", "a/b c", 0},
	{"/?code=", "", 0},
	{"/?xcode=abc&codex=d", NULL, -ENOENT},
	{"/", NULL, -ENOENT},
	{"", NULL, -ENOENT},
	{"/?x=1#code=abc", NULL, -ENOENT},
	{"/?code=a%0ab", NULL, -EINVAL},
	{"/?code=a%", NULL, -EINVAL},
	{"/?code=a%zz", NULL, -EINVAL},
	{"/?code=0123456789abcdef", NULL, -EINVAL},
};

START_TEST(test_parameter)
{
	char value[16];
	int err = loopback_parameter(parameters[_i].target, "code", value, sizeof(value));
	ck_assert_int_eq(err, parameters[_i].err);
	if (!err)
		ck_assert_str_eq(value, parameters[_i].value);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("login");
	TCase *cases = tcase_create("login");
	tcase_add_test(cases, test_pkce);
	tcase_add_loop_test(cases, test_parameter, 0, COUNT(parameters));
	suite_add_tcase(suite, cases);
	return suite;
}
