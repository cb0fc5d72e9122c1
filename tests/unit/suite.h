#ifndef GS_TESTS_SUITE_H
#define GS_TESTS_SUITE_H

#include <check.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* What a test file defines: its suite, made again; main() frees it. */
Suite *test_suite(void);

/* A case of the suite, with what is done before and after each test of it; either may be NULL. */
TCase *add_case(Suite *suite, const char *name, SFun before, SFun after);

#endif
