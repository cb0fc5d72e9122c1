/* Text that somebody else wrote: characters, cleaning, cutting, and how it is printed as JSON. */

#include "cli/base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/service/json.h"
#include "tests/unit/suite.h"

static const struct {
	const char *text;
	long code;
	int length;
} characters[] = {
	{"a", 'a', 1},
	{"\x7f", 0x7f, 1},
	{"\xc2\x80", 0x80, 2},
	{"\xc3\xa9", 0xe9, 2},
	{"\xe2\x82\xac", 0x20ac, 3},
	{"\xf0\x9f\x98\x80", 0x1f600, 4},
	{"\xf4\x8f\xbf\xbf", 0x10ffff, 4},
	/* no UTF-8: a continuation alone, too long, cut off, a surrogate, beyond the last */
	{"\x80", -1, 1},
	{"\xc0\x80", -1, 1},
	{"\xc1\xbf", -1, 1},
	{"\xe0\x9f\xbf", -1, 1},
	{"\xf0\x8f\xbf\xbf", -1, 1},
	{"\xc3", -1, 1},
	{"\xe2\x82", -1, 1},
	{"\xf0\x9f\x98", -1, 1},
	{"\xc3(", -1, 1},
	{"\xed\xa0\x80", -1, 1},
	{"\xf4\x90\x80\x80", -1, 1},
	{"\xff", -1, 1},
	{"", 0, 0},
};

START_TEST(test_characters)
{
	const char *at = characters[_i].text;
	ck_assert_int_eq(text_next(&at), characters[_i].code);
	ck_assert_int_eq(at - characters[_i].text, characters[_i].length);
}
END_TEST

START_TEST(test_clean)
{
	char text[] = "a\nb\x1b[31m\x7f\xc2\x9b\xc3\xa9\x9b\xe2\x82";
	text_clean(text);
	ck_assert_str_eq(text, "a b [31m   \xc3\xa9???");
}
END_TEST

static const struct {
	const char *text, *cut;
} cuts[] = {
	{"", ""},
	{"12345678", "12345678"},
	{"123456789", "12345..."},
	{"1234\xc3\xa9more", "1234..."},
	{"12345\xc3\xa9more", "12345..."},
	{"\x80\x80\x80\x80\x80\x80\x80\x80\x80", "..."},
};

START_TEST(test_cut)
{
	char *cut = text_cut(cuts[_i].text, 8);
	ck_assert_str_eq(cut, cuts[_i].cut);
	free(cut);
}
END_TEST

static const struct {
	const char *text, *printed;
} documents[] = {
	{"null", "null"},
	{"[true,false,null]", "[true,false,null]"},
	{"{}", "{}"},
	{"{\"a\":[],\"b\":{}}", "{\"a\":[],\"b\":{}}"},
	{"[0,-1,2768,1700000000,1.5,-0.25]", "[0,-1,2768,1700000000,1.5,-0.25]"},
	/* whole numbers keep their digits as far as a double has them */
	{"[100000000000000000,9007199254740992]", "[100000000000000000,9007199254740992]"},
	{"[0.1,1e300,-1e-7]", "[0.1,1e+300,-1e-07]"},
	{"1e999", "null"},
	{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\""},
	{"\"\\u009b2J\x7f \xc2\x85 \xc3\xa9\"", "\"\\u009b2J\\u007f \\u0085 \xc3\xa9\""},
	{"\"\x80 \xed\xa0\x80\"", "\"\\ufffd \\ufffd\\ufffd\\ufffd\""},
	{"{\"a\\nb\":1}", "{\"a\\nb\":1}"},
};

static char *print(const char *text, bool pretty)
{
	char *printed = NULL;
	size_t len;
	cJSON *document = json_parse(text, strlen(text));
	ck_assert_ptr_nonnull(document);
	FILE *out = open_memstream(&printed, &len);
	json_print(document, pretty, out);
	fclose(out);
	cJSON_Delete(document);
	return printed;
}

START_TEST(test_json)
{
	char *printed = print(documents[_i].text, false);
	ck_assert_str_eq(printed, documents[_i].printed);
	free(printed);
}
END_TEST

START_TEST(test_pretty_json)
{
	char *printed = print("{\"a\":{\"b\":[1,\"x\"]},\"c\":[],\"d\":null}", true);
	ck_assert_str_eq(printed, "{\n"
				  "  \"a\": {\n"
				  "    \"b\": [\n"
				  "      1,\n"
				  "      \"x\"\n"
				  "    ]\n"
				  "  },\n"
				  "  \"c\": [],\n"
				  "  \"d\": null\n"
				  "}");
	free(printed);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("text");
	TCase *cases = tcase_create("text");
	tcase_add_loop_test(cases, test_characters, 0, COUNT(characters));
	tcase_add_test(cases, test_clean);
	tcase_add_loop_test(cases, test_cut, 0, COUNT(cuts));
	tcase_add_loop_test(cases, test_json, 0, COUNT(documents));
	tcase_add_test(cases, test_pretty_json);
	suite_add_tcase(suite, cases);
	return suite;
}
