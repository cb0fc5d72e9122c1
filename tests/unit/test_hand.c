/* What the keeper does for a supervisor that somebody else has taken over, who writes into the
 * mapping what he likes. */

#include "supervisor/kernel/hand.h"
#include "supervisor/process/hand_serve.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/tunnel/copy.h"
#include "supervisor/tunnel/lookup.h"
#include "supervisor/tunnel/names.h"
#include "tests/unit/suite.h"

static struct state *state;

static int ask(enum hand_op op, int tid, const void *address, uint32_t len)
{
	struct hand *hand = &state->hand;
	hand->op = (uint8_t)op;
	hand->tid = tid;
	hand->address = (uint64_t)(uintptr_t)address;
	hand->len = len;
	hand->asked++;
	hand_serve(state);
	ck_assert_uint_eq(hand->done, hand->asked);
	return hand->result;
}

/* Whoever may write into the keeper can have it run what he likes. */
START_TEST(not_into_the_keeper_itself)
{
	static char ours[] = "ours";
	memcpy(state->hand.data, "his", 4);
	ck_assert_int_eq(ask(HAND_WRITE, getpid(), ours, 4), -EPERM);
	ck_assert_str_eq(ours, "ours");
	ck_assert_int_eq(ask(HAND_READ, getpid(), ours, 4), -EPERM);
	ck_assert_int_eq(memcmp(state->hand.data, "his", 4), 0);
}
END_TEST

START_TEST(not_more_than_there_is_room_for)
{
	ck_assert_int_eq(ask(HAND_READ, getppid(), NULL, HAND_DATA + 1), -EMSGSIZE);
	ck_assert_int_eq(ask((enum hand_op)200, getppid(), NULL, 0), -ENOSYS);
}
END_TEST

/* Counts and indices that lead out of the mapping. */
START_TEST(not_past_the_names)
{
	state->name_count = UINT32_MAX - MAX_TUNNELS;
	ck_assert_uint_eq(lookup_next(state, MAX_TUNNELS + MAX_NAMES - 1), NONE);
	memset(state->names[0].host, 'x', sizeof(state->names[0].host));
	state->names[0].tunnel[0] = UINT32_MAX;
	int fd = memfd_create("hosts", MFD_CLOEXEC);
	ck_assert_int_eq(names_write_hosts(state, NULL, fd), 0);
	close(fd);
}
END_TEST

/* Copies past the last one; and processes that are not the keeper's are not its to end. */
START_TEST(not_past_the_copies)
{
	state->copy_top = UINT32_MAX;
	pid_t child = fork();
	if (child == 0)
		_exit(pause());
	state->copies[0] = (struct copy){.stage = COPY_RUNNING, .pid = child, .fd = -1};
	state->copies[1] = (struct copy){.stage = COPY_RUNNING, .pid = -1, .fd = -1};
	copy_stop(state);
	copy_run(state, "");
	ck_assert_int_eq(state->copies[0].stage, COPY_IDLE);
	ck_assert_int_eq(state->copies[1].stage, COPY_IDLE);
	ck_assert_int_eq(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("hand");
	TCase *tcase = tcase_create("hand");
	state = state_create();
	tcase_add_test(tcase, not_into_the_keeper_itself);
	tcase_add_test(tcase, not_more_than_there_is_room_for);
	tcase_add_test(tcase, not_past_the_names);
	tcase_add_test(tcase, not_past_the_copies);
	suite_add_tcase(suite, tcase);
	return suite;
}
