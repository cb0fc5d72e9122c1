/* Which names profiles may have, and where their files are. */

#include "cli/base/profile.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"

#define X16 "xxxxxxxxxxxxxxxx"

static const struct {
	const char *name;
	bool good;
} names[] = {
	{"a", true},
	{"work", true},
	{"A-1_b.c", true},
	{"-", true},
	{"_", true},
	{"a.", true},
	{X16 X16 X16 X16, true},
	{"a..b", true},
	{"", false},
	{".", false},
	{X16 X16 X16 X16 "x", false},
	{"..", false},
	{".a", false},
	{"a/b", false},
	{"/", false},
	{"../a", false},
	{"a b", false},
	{"a\n", false},
	{"\xc3\xa9", false},
	{"a\\b", false},
	{"~", false},
	{"a:b", false},
	{"a\x7f", false},
	{"$a", false},
};

START_TEST(test_name)
{
	struct failure failure = {0};
	char *folder = NULL;
	ck_assert_int_eq(profile_check(names[_i].name, "X", &failure) == 0, names[_i].good);
	ck_assert_int_eq(failure.status, names[_i].good ? 0 : STATUS_USAGE);
	failure_finish(&failure);
	char *path = profile_path(names[_i].name, "f", &folder, &failure);
	ck_assert_int_eq(path != NULL, names[_i].good);
	if (path) {
		char expected[128];
		snprintf(expected, sizeof(expected), "/base/profiles/%s", names[_i].name);
		ck_assert_str_eq(folder, expected);
		ck_assert_int_eq(strncmp(path, folder, strlen(folder)), 0);
		ck_assert_str_eq(path + strlen(folder), "/f");
	}
	free(path);
	free(folder);
	failure_finish(&failure);
}
END_TEST

START_TEST(test_default)
{
	struct failure failure = {0};
	char *path = profile_path(NULL, "f", NULL, &failure);
	ck_assert_str_eq(path, "/base/f");
	free(path);
}
END_TEST

static void set_up(void)
{
	setenv("GLOBUS_STREAMS_BASE_DIR", "/base", 1);
}

Suite *test_suite(void)
{
	Suite *suite = suite_create("profile");
	TCase *cases = tcase_create("profile");
	tcase_add_unchecked_fixture(cases, set_up, NULL);
	tcase_add_loop_test(cases, test_name, 0, COUNT(names));
	tcase_add_test(cases, test_default);
	suite_add_tcase(suite, cases);
	return suite;
}
