/* The log: what each format makes of an event, and what it leaves out. */

#include "supervisor/base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/log_format.h"
#include "tests/unit/suite.h"

static char line[LOG_LINE + 1];

static const struct log_about about = {
	.pid = 12, .comm = "a \"b\"\n\x1b[31m", .tunnel = "t-1", .connection = 77, .error = 111};

static const char *format(enum log_format how, const char *text)
{
	size_t len = log_format(line, how, LOG_WARN, &about, text);
	ck_assert_uint_le(len, LOG_LINE);
	line[len] = '\0';
	ck_assert_int_eq(line[len - 1], '\n');
	return line;
}

static void has(const char *what)
{
	ck_assert_msg(strstr(line, what) != NULL, "no %s in %s", what, line);
}

START_TEST(as_text)
{
	format(LOG_TEXT, "two\nlines\x07 and \xc3\xa9");
	has("] two\\x0alines\\x07 and \xc3\xa9\n");
}
END_TEST

/* U+009B is ESC [ to a terminal, as a byte and as UTF-8, also in more bytes than it needs. */
START_TEST(control_characters_beyond_ascii)
{
	format(LOG_TEXT, "\x9b"
			 "31m \xc2\x9b"
			 "31m \xe0\x82\x9b"
			 "31m \xc2\xa0 \xc4\x80 \xe2\x82\xac \xf0\x9f\x98\x80 \xc3");
	has("] \\x9b31m \\xc2\\x9b31m \\xe0\\x82\\x9b31m \xc2\xa0 \xc4\x80 \xe2\x82\xac "
	    "\xf0\x9f\x98\x80 \\xc3\n");
}
END_TEST

START_TEST(as_logfmt)
{
	format(LOG_LOGFMT, "what = \"this\"");
	has("level=warning ");
	has(" process=12 comm=\"a \\\"b\\\"\\u000a\\u001b[31m\" tunnel=t-1 connection=77 "
	    "error=ECONNREFUSED msg=\"what = \\\"this\\\"\"\n");
}
END_TEST

START_TEST(as_json)
{
	format(LOG_JSON, "back\\slash \xff");
	has("\"process\":12,\"comm\":\"a \\\"b\\\"\\u000a\\u001b[31m\",\"tunnel\":\"t-1\","
	    "\"connection\":77,\"error\":\"ECONNREFUSED\",\"message\":\"back\\\\slash "
	    "\\u00ff\"}\n");
}
END_TEST

START_TEST(as_a_datagram_of_the_journal)
{
	format(LOG_JOURNAL, "one\nFAKE=1");
	ck_assert_int_eq(strncmp(line, "MESSAGE=one\\x0aFAKE=1\n", 22), 0);
	has("\nOBJECT_PID=12\n");
	has("\nGLOBUS_STREAMS_ERROR=ECONNREFUSED\n");
	has("\nPRIORITY=4\n");
}
END_TEST

START_TEST(long_ones_are_cut)
{
	char text[4 * LOG_LINE];
	memset(text, '\x01', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int how = LOG_TEXT; how <= LOG_JOURNAL; how++)
		format((enum log_format)how, text);
}
END_TEST

/* What was written to the file. */
static char *written(int fd)
{
	static char text[1 << 16];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static int count(const char *text, const char *what)
{
	int found = 0;
	while ((text = strstr(text, what))) {
		found++;
		text++;
	}
	return found;
}

static int temporary(void)
{
	char path[] = "/tmp/test_log.XXXXXX";
	int fd = mkstemp(path);
	unlink(path);
	return fd;
}

START_TEST(repeated_ones_are_folded)
{
	int fd = temporary();
	log_init(-1, fd);
	for (int i = 0; i < 5; i++)
		log_warn("the same");
	log_warn("another");
	const char *text = written(fd);
	ck_assert_int_eq(count(text, "the same"), 1);
	ck_assert_int_eq(count(text, "last message repeated 4 times"), 1);
	ck_assert_int_eq(count(text, "another"), 1);
}
END_TEST

START_TEST(too_many_are_left_out)
{
	int fd = temporary();
	const struct log_shape shape = {LOG_TEXT, LOG_DEBUG, 5};
	log_init(-1, fd);
	log_be(&shape);
	for (int i = 0; i < 1000; i++)
		log_warn("number %d", i);
	/* the clock may have gone on to the next second meanwhile */
	ck_assert_int_le(count(written(fd), "number"), 10);
}
END_TEST

START_TEST(levels_are_kept)
{
	int fd = temporary();
	const struct log_shape shape = {LOG_TEXT, LOG_WARN, 100};
	log_init(-1, fd);
	log_be(&shape);
	log_debug("a detail");
	log_info("news");
	log_warn("a warning");
	ck_assert_int_eq(count(written(fd), "\n"), 1);
	ck_assert(!log_debugging());
}
END_TEST

/* Nothing of this may fail or wait. */
START_TEST(nobody_takes_it)
{
	int ends[2], full = open("/dev/full", O_WRONLY);
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	log_init(ends[1], full);
	for (int i = 0; i < 10000; i++)
		log_warn("number %d", i);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");
	tcase_add_test(tcase, as_text);
	tcase_add_test(tcase, control_characters_beyond_ascii);
	tcase_add_test(tcase, as_logfmt);
	tcase_add_test(tcase, as_json);
	tcase_add_test(tcase, as_a_datagram_of_the_journal);
	tcase_add_test(tcase, long_ones_are_cut);
	tcase_add_test(tcase, repeated_ones_are_folded);
	tcase_add_test(tcase, too_many_are_left_out);
	tcase_add_test(tcase, levels_are_kept);
	tcase_add_test(tcase, nobody_takes_it);
	suite_add_tcase(suite, tcase);
	return suite;
}
