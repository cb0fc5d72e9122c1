/* Who has held the supervisor up: for how long that is held against whom. */

#include "supervisor/base/mark.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

#define NOW         (1000 * SECOND)
#define A_DAY       (24u * 60 * 60)
#define SUBORDINATE 165536u /* the first id of a range of subuid(5) */
#define RANGE       65536u

enum { ONE, ANOTHER }; /* programs */

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

START_TEST(longer_each_time)
{
	for (unsigned wanted = 60; wanted < A_DAY; wanted *= 2) {
		ck_assert_uint_eq(mark_add(state, ONE, 1000, NOW), wanted);
		ck_assert(mark_holds(state, ONE, 1000, NOW + wanted * SECOND - 1));
		ck_assert(!mark_holds(state, ONE, 1000, NOW + wanted * SECOND));
		ck_assert(mark_any(state, ONE, NOW + wanted * SECOND - 1));
		ck_assert(!mark_any(state, ONE, NOW + wanted * SECOND));
	}
	for (int i = 0; i < 40; i++)
		ck_assert_uint_eq(mark_add(state, ONE, 1000, NOW), A_DAY);
}
END_TEST

START_TEST(nobody_elses)
{
	mark_add(state, ONE, 1000, NOW);
	ck_assert(!mark_holds(state, ONE, 1001, NOW));
	ck_assert(!mark_holds(state, ANOTHER, 1000, NOW));
	ck_assert(!mark_any(state, ANOTHER, NOW));
	/* whose thread is gone may be that user's */
	ck_assert(mark_holds(state, ONE, UNKNOWN_UID, NOW));
	state->programs[ONE].slot.gen++;
	ck_assert(!mark_holds(state, ONE, 1000, NOW));
}
END_TEST

START_TEST(unknown_three_times)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(mark_add(state, ONE, UNKNOWN_UID, NOW), 0);
		ck_assert(!mark_holds(state, ONE, 1000, NOW));
		ck_assert(!mark_any(state, ONE, NOW));
	}
	ck_assert_uint_gt(mark_add(state, ONE, UNKNOWN_UID, NOW), 0);
	ck_assert(mark_holds(state, ONE, 1000, NOW));
	ck_assert(!mark_holds(state, ANOTHER, 1000, NOW));
}
END_TEST

START_TEST(subordinate_ids_are_one_user)
{
	mark_add(state, ONE, SUBORDINATE + 7, NOW);
	ck_assert(mark_holds(state, ONE, SUBORDINATE, NOW));
	ck_assert(mark_holds(state, ONE, SUBORDINATE + RANGE - 1, NOW));
	ck_assert(!mark_holds(state, ONE, SUBORDINATE - 1, NOW));
	ck_assert(!mark_holds(state, ONE, SUBORDINATE + RANGE, NOW));
	ck_assert_uint_eq(mark_add(state, ONE, SUBORDINATE + 8, NOW), 120);
}
END_TEST

/* The one that ends first gives its place away. */
START_TEST(more_than_there_is_room_for)
{
	for (uint32_t uid = 0; uid < MAX_MARKS; uid++)
		mark_add(state, ONE, uid, NOW + (uid + 7) % MAX_MARKS * SECOND);
	mark_add(state, ONE, MAX_MARKS, NOW + 20 * SECOND);
	for (uint32_t uid = 0; uid <= MAX_MARKS; uid++)
		ck_assert_int_eq(mark_holds(state, ONE, uid, NOW + 20 * SECOND),
				 uid != MAX_MARKS - 7);
}
END_TEST

START_TEST(no_such_program)
{
	ck_assert_uint_eq(mark_add(state, NONE, 1000, NOW), 0);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("mark");
	TCase *tcase = tcase_create("mark");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, longer_each_time);
	tcase_add_test(tcase, nobody_elses);
	tcase_add_test(tcase, unknown_three_times);
	tcase_add_test(tcase, subordinate_ids_are_one_user);
	tcase_add_test(tcase, more_than_there_is_room_for);
	tcase_add_test(tcase, no_such_program);
	suite_add_tcase(suite, tcase);
	return suite;
}
