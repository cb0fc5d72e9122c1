/* Answers and questions about a call while signals come, and its filter's lock is held by others:
 * tests/kernel/growing_table_holds.c. */

#include <errno.h>

#include "supervisor/kernel/notify.h"
#include "tests/kernel/growing.h"
#include "tests/unit/suite.h"

#define TABLES  10
#define SECONDS 60 /* under qemu */

static struct state *state;

static void set_up(void)
{
	state = state_create();
	ck_assert_ptr_nonnull(state);
}

static void tear_down(void)
{
	state_destroy(state);
}

static uint32_t call_of(const struct growing *growing, uint64_t id)
{
	uint32_t index = call_take(state);
	state->calls[index].program = 0;
	state->calls[index].notif.id = id;
	state->programs[0].notify_fd = growing->watched.notify;
	return index;
}

/* A call that waits is valid, and what is answered gets there or is told to be gone: never neither.
 */
START_TEST(interrupted)
{
	for (int tables = 0; tables < TABLES; tables++) {
		struct growing growing;
		bool valid = true;
		int gone = -ENOENT;
		growing_begin(&growing);
		uint32_t index = call_of(&growing, growing.notif.id);
		while (growing_goes_on(&growing)) {
			valid = valid && notify_valid(state, &state->calls[index]);
			if (gone == -ENOENT)
				gone = notify_return(state, call_of(&growing, growing.notif.id + 1),
						     0);
		}
		growing_stop();
		ck_assert_msg(valid, "a call that waits was not valid, at table %d", tables);
		ck_assert_msg(gone == -ENOENT, "an answer gave %d, at table %d", gone, tables);
		ck_assert_int_eq(notify_return(state, index, 0), 0);
		growing_end(&growing);
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("notify");
	TCase *tables = add_case(suite, "interrupted", set_up, tear_down);
	tcase_set_timeout(tables, SECONDS);
	tcase_add_test(tables, interrupted);
	return suite;
}
