/* What a child leaves behind without closing it. */

#include "supervisor/base/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void as_a_keeper(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	close(null);
	numbers_fill();
}

/* What comes later has a higher number, also in the place of what was closed. */
START_TEST(later_ones_are_higher)
{
	int early = dup(STDERR_FILENO);
	as_a_keeper();
	ck_assert_int_lt(early, OWN_NUMBERS);
	numbers_close(early);
	int late = dup(STDERR_FILENO);
	ck_assert_int_eq(late, OWN_NUMBERS);
	numbers_close(late);
	ck_assert(!is_open(late) && is_open(early));
	numbers_close(-1);
}
END_TEST

START_TEST(not_where_there_are_few)
{
	const struct rlimit few = {OWN_NUMBERS, OWN_NUMBERS};
	setrlimit(RLIMIT_NOFILE, &few);
	as_a_keeper();
	int late = dup(STDERR_FILENO);
	ck_assert_int_lt(late, OWN_NUMBERS);
	numbers_close(late);
	ck_assert(!is_open(late));
}
END_TEST

/* A child has nothing any more, and its parent all. */
START_TEST(a_child_leaves_all)
{
	int status, late;
	as_a_keeper();
	late = fcntl(STDERR_FILENO, F_DUPFD, 500);
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (child == 0) {
		bool left = numbers_leave();
		for (int fd = 0; fd < 1000; fd++)
			left &= !is_open(fd);
		_exit(!left);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(is_open(late) && is_open(STDERR_FILENO) && is_open(OWN_NUMBERS - 1));
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("numbers");
	TCase *tcase = tcase_create("numbers");
	tcase_add_test(tcase, later_ones_are_higher);
	tcase_add_test(tcase, not_where_there_are_few);
	tcase_add_test(tcase, a_child_leaves_all);
	suite_add_tcase(suite, tcase);
	return suite;
}
