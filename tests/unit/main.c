/* What every unit test runs in: its suite, each case in a process of its own. */

#include <stdlib.h>

#include "tests/unit/suite.h"

TCase *add_case(Suite *suite, const char *name, SFun before, SFun after)
{
	TCase *made = tcase_create(name);
	tcase_add_checked_fixture(made, before, after);
	suite_add_tcase(suite, made);
	return made;
}

int main(void)
{
	SRunner *runner = srunner_create(test_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner) + !srunner_ntests_run(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
