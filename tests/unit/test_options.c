/* Options by table, and the words that are near a mistyped one. */

#include "cli/base/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/suggest.h"
#include "tests/unit/suite.h"

struct values {
	bool force, debug;
	const char *name;
	long long number;
	struct option_list list;
	struct option_maybe wait;
};

static const struct option_spec specs[] = {
	{'f', "force", NULL, "flag", OPTION_FLAG, offsetof(struct values, force)},
	{'d', NULL, NULL, "flag", OPTION_FLAG, offsetof(struct values, debug)},
	{'n', "name", "NAME", "text", OPTION_TEXT, offsetof(struct values, name)},
	{0, "number", "N", "number", OPTION_NUMBER, offsetof(struct values, number), 1, 10},
	{0, "list", "ITEM", "list", OPTION_LIST, offsetof(struct values, list)},
	{0, "wait", "N", "maybe", OPTION_MAYBE, offsetof(struct values, wait), 1, 10},
	{0},
};

static struct values values;
static char *words[40];
static int count;
static bool dashes;

/* Parse a line that is split at spaces: the result of options_parse(). */
static int parse(const char *line, bool stop_at_word)
{
	static char text[256];
	char *why = NULL;
	int argc = 0;
	values = (struct values){.number = 5, .wait = {.value = 7}};
	strcpy(text, line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[argc++] = word;
	const struct option_set sets[] = {{specs, &values}, {0}};
	int err = options_parse(sets, stop_at_word, argc, words, &count, &dashes, &why);
	ck_assert((err != 0) == (why != NULL));
	free(why);
	return err;
}

START_TEST(test_kinds)
{
	ck_assert_int_eq(parse("--force -n one --number=3 --list a --list=b --wait", false), 0);
	ck_assert(values.force && !values.debug && values.wait.given);
	ck_assert_str_eq(values.name, "one");
	ck_assert_int_eq(values.number, 3);
	ck_assert_int_eq(values.wait.value, 7);
	ck_assert_uint_eq(values.list.count, 2);
	ck_assert_str_eq(values.list.items[1], "b");
	ck_assert_int_eq(parse("-fdnone --wait=2", false), 0);
	ck_assert(values.force && values.debug);
	ck_assert_str_eq(values.name, "one");
	ck_assert_int_eq(values.wait.value, 2);
	ck_assert_int_eq(parse("--name= --name=a=b", false), 0);
	ck_assert_str_eq(values.name, "a=b");
}
END_TEST

START_TEST(test_words)
{
	ck_assert_int_eq(parse("one --force two - -- --three", false), 0);
	ck_assert_int_eq(count, 4);
	ck_assert(values.force && dashes);
	ck_assert_str_eq(words[0], "one");
	ck_assert_str_eq(words[2], "-");
	ck_assert_str_eq(words[3], "--three");
	ck_assert_int_eq(parse("-f one -d", true), 0);
	ck_assert_int_eq(count, 2);
	ck_assert(!values.debug && !dashes);
	ck_assert_str_eq(words[1], "-d");
}
END_TEST

static const char *const bad[] = {
	"--unknown",   "-x",          "-fx",       "--forc",
	"--force=1",   "--name",      "-n",        "--number=0",
	"--number=11", "--number=3x", "--number=", "--number= 3",
	"--number=+3", "--wait=soon", "--wait=0",  "--number=99999999999999999999",
};

START_TEST(test_bad)
{
	ck_assert_int_eq(parse(bad[_i], false), -EINVAL);
}
END_TEST

START_TEST(test_too_many)
{
	char line[256] = "";
	for (int i = 0; i <= OPTION_LIST_MAX; i++)
		strcat(line, "--list=a ");
	ck_assert_int_eq(parse(line, false), -EINVAL);
}
END_TEST

static const char *near(const char *typed)
{
	struct suggest suggest;
	suggest_init(&suggest, typed, strlen(typed));
	suggest_offer(&suggest, "initialize");
	suggest_offer(&suggest, "list");
	suggest_offer(&suggest, "contact-lookup");
	return suggest_best(&suggest);
}

START_TEST(test_suggest)
{
	ck_assert_str_eq(near("initialise"), "initialize");
	ck_assert_str_eq(near("intialize"), "initialize");
	ck_assert_str_eq(near("init"), "initialize");
	ck_assert_str_eq(near("lsit"), "list");
	ck_assert_str_eq(near("contact-lokup"), "contact-lookup");
	ck_assert_ptr_null(near("show"));
	ck_assert_ptr_null(near(""));
	ck_assert_ptr_null(near("a-word-that-is-longer-than-any-that-we-know-of"));
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("options");
	TCase *cases = tcase_create("options");
	tcase_add_test(cases, test_kinds);
	tcase_add_test(cases, test_words);
	tcase_add_loop_test(cases, test_bad, 0, COUNT(bad));
	tcase_add_test(cases, test_too_many);
	tcase_add_test(cases, test_suggest);
	suite_add_tcase(suite, cases);
	return suite;
}
