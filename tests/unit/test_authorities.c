/* Whose certificates are trusted where libcurl's own file of them is not there. */

#include "cli/base/authorities.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

#define THERE "/proc/self/status"
#define OTHER "/proc/self/maps"

static const struct {
	const char *built_in, *places[3];
	const char *cert_file, *bundle; /* the variables */
	const char *found;
} cases[] = {
	{THERE, {OTHER}, NULL, NULL, NULL},
	{THERE, {OTHER}, "/mine.pem", "/bundle.pem", NULL},
	{NULL, {OTHER}, NULL, NULL, NULL},
	{NULL, {OTHER}, "/mine.pem", NULL, NULL},
	{"/nowhere", {"/nowhere/else", OTHER}, NULL, NULL, OTHER},
	{"/nowhere", {THERE, OTHER}, NULL, NULL, THERE},
	{"/nowhere", {"/nowhere/else"}, NULL, NULL, NULL},
	{"/nowhere", {NULL}, NULL, NULL, NULL},
	{"/nowhere", {OTHER}, "/mine.pem", NULL, "/mine.pem"},
	{"/nowhere", {OTHER}, NULL, "/bundle.pem", "/bundle.pem"},
	{"/nowhere", {OTHER}, "/mine.pem", "/bundle.pem", "/mine.pem"},
	{"/nowhere", {OTHER}, "", "", OTHER},
};

static void put(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

START_TEST(test_found)
{
	put("SSL_CERT_FILE", cases[_i].cert_file);
	put("CURL_CA_BUNDLE", cases[_i].bundle);
	ck_assert_pstr_eq(authorities_find(cases[_i].built_in, cases[_i].places), cases[_i].found);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("authorities");
	tcase_add_loop_test(add_case(suite, "found", NULL, NULL), test_found, 0, COUNT(cases));
	return suite;
}
