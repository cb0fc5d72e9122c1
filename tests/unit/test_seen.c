/* Whatever number libseccomp has for a call in an architecture, it is known as that call; the
 * numbers of no other call are. */

#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/kernel/arch.h"
#include "supervisor/kernel/seen.h"
#include "tests/unit/suite.h"

#define NUMBERS 600 /* more than any architecture has */

static const struct {
	const char *name;
	enum seen call;
} calls[] = {
	{"open", SEEN_OPEN},
	{"openat", SEEN_OPENAT},
	{"socketcall", SEEN_SOCKETCALL},
	{"bind", SEEN_BIND},
	{"connect", SEEN_CONNECT},
	{"listen", SEEN_LISTEN},
	{"accept", SEEN_ACCEPT},
	{"accept4", SEEN_ACCEPT4},
	{"getsockopt", SEEN_GETSOCKOPT},
	{"setsockopt", SEEN_SETSOCKOPT},
	{"sendto", SEEN_SENDTO},
	{"landlock_restrict_self", SEEN_LANDLOCK_RESTRICT_SELF},
};

static enum seen by_name(const char *name)
{
	for (size_t i = 0; name && i < sizeof(calls) / sizeof(*calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].call;
	return SEEN_NOTHING;
}

static int check_numbers(uint32_t arch)
{
	int count = 0;
	for (int number = 0; number < NUMBERS; number++) {
		char *name = seccomp_syscall_resolve_num_arch(arch, number);
		const struct seccomp_data data = {.nr = number, .arch = arch};
		enum seen call = seen_call(&data);
		ck_assert_msg(call == by_name(name), "%#x: %d is %s, and known as %d", arch, number,
			      name ? name : "nothing", (int)call);
		count += call != SEEN_NOTHING;
		free(name);
	}
	return count;
}

START_TEST(every_call_is_known)
{
	/* an architecture has all of them but one or two */
	ck_assert_int_ge(check_numbers(NATIVE_AUDIT_ARCH), 10);
	ck_assert_int_eq(check_numbers(COMPAT_AUDIT_ARCH), 11);
}
END_TEST

START_TEST(only_what_is_held_comes_again)
{
	ck_assert(seen_held(COMPAT_CONNECT) && seen_held(COMPAT_ACCEPT4) &&
		  seen_held(COMPAT_OPENAT));
	ck_assert(!seen_held(COMPAT_SENDTO) && !seen_held(COMPAT_SETSOCKOPT));
	ck_assert(!seen_held(-1));
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("seen");
	TCase *tcase = tcase_create("seen");
	tcase_add_test(tcase, every_call_is_known);
	tcase_add_test(tcase, only_what_is_held_comes_again);
	suite_add_tcase(suite, tcase);
	return suite;
}
