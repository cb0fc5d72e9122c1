/* Whole commands that are killed: at each of their system calls in turn. The files are the old ones
 * or the new ones, to the byte, and the next command finds nothing in its way. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/services.h"
#include "tests/unit/suite.h"

#define NOW 1795000000LL

#define OTHER_SECRET                                                                               \
	"{\"data\":[{\"id\":\"11111111-3800-4ca7-bf22-0049ddf1acc6\",\"secret\":\"another\"}]}"
#define OTHER_TUNNEL                                                                               \
	"{\"data\":{\"id\":\"" TUNNEL_ID "\",\"attributes\":{\"state\":\"ACTIVE\","                \
	"\"created_time\":\"2026-11-22T15:50:55+00:00\",\"lifetime_mins\":360,"                    \
	"\"initiator_ip_address\":\"127.0.0.2\",\"initiator_port\":1},\"relationships\":{"         \
	"\"initiator\":{\"data\":{\"id\":\"" INITIATOR_AP "\"}},"                                  \
	"\"listener\":{\"data\":{\"id\":\"" LISTENER_AP "\"}}}}}"

static const struct case_ {
	const char *words[6];
	enum tokens tokens;
	bool conf;
} cases_[] = {
	{{"environment", "initialize", TUNNEL_ID}, CLIENT_TOKENS, false},
	{{"environment", "initialize", "--force", TUNNEL_ID}, CLIENT_TOKENS, true},
	{{"environment", "contact-lookup", "--refresh", TUNNEL_ID}, CLIENT_TOKENS, true},
	{{"environment", "update", TUNNEL_ID}, CLIENT_TOKENS, true},
	{{"environment", "cleanup", "--force", TUNNEL_ID}, CLIENT_TOKENS, true},
	{{"tunnel", "show", TUNNEL_ID}, EXPIRED_TOKENS, false},
	{{"tunnel", "show", TUNNEL_ID}, EXPIRED_LOGIN, false},
	{{"login", "--no-browser"}, NO_LOGIN, false},
	{{"login", "--no-browser", "--force"}, LOGIN, false},
	{{"logout"}, LOGIN, false},
};

static char old[1 << 14], new[1 << 14];

/* The folder as it is before the command; what the services say has changed since. */
static void prepare(const struct case_ *killed)
{
	static const char *const words[] = {"environment", "initialize", TUNNEL_ID, NULL};
	static const struct reply tunnel = {200, OTHER_TUNNEL, sizeof(OTHER_TUNNEL) - 1};
	static const struct reply secret = {201, OTHER_SECRET, sizeof(OTHER_SECRET) - 1};
	services_reset();
	services_set_clock(NOW);
	services_folder(killed->tokens);
	if (killed->conf)
		ck_assert_int_eq(services_run(words, NULL).status, 0);
	services_reset();
	services_set_clock(NOW + 100);
	services_answer(services_route("GET", "/v2/tunnels/" TUNNEL_ID), &tunnel, -1);
	services_answer(services_route("POST", "/gcs/api/lan_secrets"), &secret, -1);
}

static void run_traced(const struct case_ *killed)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	_exit(services_run(killed->words, "code\n").status);
}

/* Run it in a process that is killed as it enters its nth system call. false: it came to its end.
 */
static bool run_killed(const struct case_ *killed, int n)
{
	int status, stops = 0;
	pid_t pid = fork();
	if (pid == 0)
		run_traced(killed);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	while (WIFSTOPPED(status)) {
		/* Each call stops twice, as it is entered and as it is left. */
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && ++stops == 2 * n + 1)
			kill(pid, SIGKILL);
		else
			ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	}
	ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/* The files without what a killed writer may leave, which begins with a dot. */
static const char *visible(void)
{
	static char text[1 << 15];
	services_hide(true);
	snprintf(text, sizeof(text), "%s", services_files());
	services_hide(false);
	return text;
}

START_TEST(test_killed_at_each_call)
{
	const struct case_ *killed = &cases_[_i];
	prepare(killed);
	snprintf(old, sizeof(old), "%s", services_files());
	ck_assert_int_eq(services_run(killed->words, "code\n").status, 0);
	snprintf(new, sizeof(new), "%s", services_files());
	ck_assert_str_ne(old, new);
	bool seen_old = false, seen_new = false;
	for (int n = 0;; n++) {
		prepare(killed);
		bool ended = !run_killed(killed, n);
		const char *now = visible();
		bool is_old = !strcmp(now, old), is_new = !strcmp(now, new);
		ck_assert_msg(is_old || is_new, "at call %d: %s", n, now);
		seen_old = seen_old || is_old;
		seen_new = seen_new || is_new;
		/* The secret of the conf that stands is one that the manager still has. */
		if (killed->conf && is_old && strcmp(killed->words[1], "cleanup") != 0)
			ck_assert_int_eq(
				services_asked(services_route("DELETE", "/gcs/api/lan_secrets/")),
				0);
		if (ended)
			break;
		const char *again[] = {"environment", "initialize", "--force", TUNNEL_ID, NULL};
		bool tokens = strcmp(killed->words[0], "environment") != 0;
		ck_assert_int_eq(services_run(tokens ? killed->words : again, "code\n").status, 0);
		ck_assert_str_eq(services_files(), visible());
	}
	ck_assert(seen_old && seen_new);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("killed");
	TCase *cases = tcase_create("killed");
	tcase_set_timeout(cases, 60);
	tcase_add_loop_test(cases, test_killed_at_each_call, 0, COUNT(cases_));
	suite_add_tcase(suite, cases);
	return suite;
}
