#ifndef GS_TESTS_SUITE_H
#define GS_TESTS_SUITE_H

#include <check.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* What a test file defines: its suite, made anew; main() frees it. */
Suite *test_suite(void);

#endif
