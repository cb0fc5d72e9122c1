/* A line of input: all of it, and nothing behind it. */

#include "cli/base/terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static int ticks; /* until the wait is given up; -1: never */

static bool tick(void)
{
	return ticks < 0 || ticks-- > 0;
}

static const struct {
	const char *input, *line, *rest;
	int err;
} lines[] = {
	{"code\nrest\n", "code", "rest\n", 0},
	{"\nrest", "", "rest", 0},
	{"code", "code", "", 0},
	{"", "", "", -ENODATA},
	{"1234567\nrest", "1234567", "rest", 0},
	{"12345678\nrest", "1234567", "rest", 0},
	{"123456789abcdef\nrest", "1234567", "rest", 0},
	{" a\r\nrest", " a\r", "rest", 0},
};

START_TEST(test_line)
{
	struct terminal terminal;
	char line[8], rest[32];
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], lines[_i].input, strlen(lines[_i].input)),
			 (int)strlen(lines[_i].input));
	close(ends[1]);
	ticks = -1;
	terminal_substitute(&terminal, stdout);
	ck_assert_int_eq(terminal.in, STDIN_FILENO);
	terminal.in = ends[0];
	ck_assert_int_eq(terminal_read_line(&terminal, line, sizeof(line), tick), lines[_i].err);
	ck_assert_str_eq(line, lines[_i].line);
	ssize_t got = read(ends[0], rest, sizeof(rest));
	ck_assert_int_eq(got, (int)strlen(lines[_i].rest));
	ck_assert_int_eq(memcmp(rest, lines[_i].rest, (size_t)got), 0);
	close(ends[0]);
}
END_TEST

START_TEST(test_given_up)
{
	struct terminal terminal;
	char line[8];
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	ticks = 2;
	terminal_substitute(&terminal, stdout);
	terminal.in = ends[0];
	ck_assert_int_eq(terminal_read_line(&terminal, line, sizeof(line), tick), -EINTR);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* In a session without one. */
START_TEST(test_no_terminal)
{
	struct terminal terminal;
	int status;
	pid_t child = fork();
	if (child == 0)
		_exit(setsid() > 0 ? -terminal_open(&terminal) : 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WEXITSTATUS(status), ENXIO);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("terminal");
	TCase *cases = tcase_create("terminal");
	tcase_add_loop_test(cases, test_line, 0, COUNT(lines));
	tcase_add_test(cases, test_given_up);
	tcase_add_test(cases, test_no_terminal);
	suite_add_tcase(suite, cases);
	return suite;
}
