/* Deadlines: reported in order, and those that nobody waits for any more take no room. */

#include "supervisor/base/loop.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

#define OBJECTS 20

/* What the objects' deadlines are. */
static uint64_t deadlines[OBJECTS];

static bool stands(const void *owner, struct object_id id, uint64_t at)
{
	ck_assert_ptr_eq(owner, deadlines);
	return deadlines[id.index] == at;
}

static void set(struct loop *loop, uint32_t index, uint64_t at)
{
	deadlines[index] = at;
	loop_at(loop, at, (struct object_id){.kind = OBJECT_CALL, .index = index});
}

START_TEST(stale_ones_take_no_room)
{
	struct loop loop;
	ck_assert_int_eq(loop_init(&loop, stands, deadlines), 0);
	for (uint64_t i = 0; i < 100000; i++)
		set(&loop, (uint32_t)(i % OBJECTS), 1000000 + (uint64_t)random() % 1000000);
	ck_assert_uint_le(loop.room, 64);
	loop_finish(&loop);
}
END_TEST

START_TEST(all_that_stand_come_in_order)
{
	struct loop loop;
	struct object_id id;
	uint64_t last = 0;
	uint32_t seen = 0;
	ck_assert_int_eq(loop_init(&loop, stands, deadlines), 0);
	for (uint64_t i = 0; i < 1000 + OBJECTS / 2; i++)
		set(&loop, (uint32_t)(i % OBJECTS), 1 + (uint64_t)random() % 1000);
	for (uint64_t now = 0; now <= 1000; now++)
		while (loop_due(&loop, now, &id)) {
			ck_assert_uint_ge(now, last);
			last = now;
			if (deadlines[id.index] == now)
				seen |= 1u << id.index;
		}
	ck_assert_uint_eq(seen, (1u << OBJECTS) - 1);
	ck_assert_uint_eq(loop.count, 0);
	loop_finish(&loop);
}
END_TEST

START_TEST(grows_where_all_stand)
{
	struct loop loop;
	struct object_id id = {.kind = OBJECT_SWEEP};
	ck_assert_int_eq(loop_init(&loop, stands, deadlines), 0);
	deadlines[0] = 5;
	for (int i = 0; i < 1000; i++)
		loop_at(&loop, 5, id);
	ck_assert_uint_eq(loop.count, 1000);
	ck_assert(!loop_due(&loop, 4, &id));
	for (int i = 0; i < 1000; i++)
		ck_assert(loop_due(&loop, 5, &id));
	ck_assert(!loop_due(&loop, 5, &id));
	loop_finish(&loop);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("loop");
	TCase *tcase = tcase_create("deadlines");
	tcase_add_test(tcase, stale_ones_take_no_room);
	tcase_add_test(tcase, all_that_stand_come_in_order);
	tcase_add_test(tcase, grows_where_all_stand);
	suite_add_tcase(suite, tcase);
	return suite;
}
