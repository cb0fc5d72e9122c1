/* What separate processes say to each other: the layout is the same for every compiler and word
 * size, and the descriptor that carries a question is none. */

#include "protocol/control.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/suite.h"

START_TEST(question_layout)
{
	ck_assert_uint_eq(offsetof(struct question, magic), 0);
	ck_assert_uint_eq(offsetof(struct question, version), 4);
	ck_assert_uint_eq(offsetof(struct question, op), 5);
	ck_assert_uint_eq(offsetof(struct question, answer), 6);
	ck_assert_uint_eq(offsetof(struct question, family), 7);
	ck_assert_uint_eq(offsetof(struct question, port), 8);
	ck_assert_uint_eq(offsetof(struct question, size), 10);
	ck_assert_uint_eq(offsetof(struct question, reserved), 12);
	ck_assert_uint_eq(offsetof(struct question, address), 16);
	ck_assert_uint_eq(offsetof(struct question, name), 32);
}
END_TEST

START_TEST(report_layout)
{
	ck_assert_uint_eq(offsetof(struct report, version), 0);
	ck_assert_uint_eq(offsetof(struct report, op), 1);
	ck_assert_uint_eq(offsetof(struct report, stage), 2);
	ck_assert_uint_eq(offsetof(struct report, value), 4);
}
END_TEST

/* What an unsupervised program hears from the kernel, with the question left as it was. */
START_TEST(question_unsupervised)
{
	struct question question = {.magic = QUESTION_MAGIC, .version = CONTROL_VERSION};
	ck_assert_int_lt(QUESTION_FD, 0);
	ck_assert_int_eq(syscall(SYS_connect, QUESTION_FD, &question, sizeof(question)), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(question.answer, QUESTION_UNANSWERED);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("control");
	tcase_add_test(tcase, question_layout);
	tcase_add_test(tcase, report_layout);
	tcase_add_test(tcase, question_unsupervised);
	suite_add_tcase(suite, tcase);
	return suite;
}
