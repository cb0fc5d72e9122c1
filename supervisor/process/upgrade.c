#include "supervisor/process/upgrade.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/older.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/dispatch/control.h"
#include "supervisor/process/chore_run.h"

#define ANSWER_SECONDS 10

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

void upgrade_by_signal(struct state *state)
{
	int err = control_want_upgrade(state, NONE, 0);
	if (err == -EOPNOTSUPP)
		log_warn("cannot upgrade: the supervisor was started with a limit for the size of "
			 "files, or cannot find its own binary");
}

/* It is over: a client is told by the supervisor. */
static void end(struct state *state, int error)
{
	state->upgrade.error = error;
	state->upgrade.stage = state->upgrade.client == NONE ? UPGRADE_IDLE : UPGRADE_OVER;
	eventfd_write(state->supervisor_wakes, 1);
}

static void over(struct keeper *keeper, int error)
{
	if (error == EXDEV)
		log_warn("cannot upgrade to %s: its format of the state differs; restart the "
			 "supervisor",
			 keeper->keeping.self);
	else if (error)
		log_warn("cannot upgrade to %s: %s", keeper->keeping.self, strerror(error));
	end(keeper->state, error);
}

/* --- asking --- */

/* In the child. */
_Noreturn static void answer(const struct keeper *keeper, int out)
{
	sigset_t none;
	dup2(out, STDOUT_FILENO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(ANSWER_SECONDS); /* outlives exec */
	execl(keeper->keeping.self, "globus-streams", UPGRADE_LAYOUT, NULL);
	_exit(127);
}

void upgrade_begin(struct keeper *keeper)
{
	int ends[2];
	if (keeper->state->upgrade.stage != UPGRADE_WANTED)
		return;
	keeper->state->upgrade.stage = UPGRADE_ASKING;
	if (keeper->state->hand.lost_threads) { /* exec waits for threads (execve(2)) */
		over(keeper, EBUSY);
		return;
	}
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		over(keeper, errno);
		return;
	}
	pid_t child = fork();
	if (child == 0)
		answer(keeper, ends[1]);
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		over(keeper, EAGAIN);
		return;
	}
	keeper->answer_len = 0;
	keeper->asked = ends[0];
}

/* --- becoming it --- */

/* Descriptors stay what they are across exec, or close with it. */
static void keep_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		if (fd > STDERR_FILENO && fd != dirfd(dir))
			fcntl(fd, F_SETFD, 0);
	}
	closedir(dir);
}

static void close_at_exec(void)
{
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void become(struct keeper *keeper)
{
	char memory[16];
	struct state *state = keeper->state;
	snprintf(memory, sizeof(memory), "%d", keeper->keeping.memory);
	log_debug("upgrading to %s", keeper->keeping.self);
	keeper_stop_supervisor(keeper);
	chore_stop(keeper);
	state->keeping = keeper->keeping;
	keep_descriptors();
	execl(keeper->keeping.self, "gs-keeper", UPGRADE_TAKE_OVER, memory, NULL);
	int error = errno;
	close_at_exec();
	state->counters.restarts++;
	over(keeper, error);
}

void upgrade_answered(struct keeper *keeper)
{
	size_t room = sizeof(keeper->answer) - 1 - keeper->answer_len;
	ssize_t got = room ? read(keeper->asked, keeper->answer + keeper->answer_len, room) : 0;
	if (got > 0) {
		keeper->answer_len += (size_t)got;
		return;
	}
	if (got < 0 && errno == EAGAIN)
		return;
	close_fd(&keeper->asked);
	keeper->answer[keeper->answer_len] = '\0';
	keeper->answer[strcspn(keeper->answer, "\n")] = '\0';
	if (keeper->answer_len == 0)
		over(keeper, ENOEXEC);
	else if (strcmp(keeper->answer, keeper->state->layout) != 0)
		over(keeper, EXDEV);
	else
		become(keeper);
}

/* --- the new binary --- */

static bool take_over(struct keeper *keeper, const char *memory)
{
	struct state *state = state_adopt((int)strtol(memory, NULL, 10));
	if (!state)
		return false;
	close_at_exec();
	keeper->state = state;
	keeper->keeping = state->keeping;
	keeper_log(keeper);
	keeper_adopt(keeper);
	state->counters.upgrades++;
	end(state, 0);
	return true;
}

bool upgrade_main(int argc, char **argv, struct keeper *keeper)
{
	*keeper = (struct keeper){.title = argv[0], .supervisor = -1, .asked = -1};
	if (argc > 0)
		keeper->title_room = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
	if (argc == 2 && strcmp(argv[1], UPGRADE_LAYOUT) == 0) {
		puts(state_layout());
		exit(0);
	}
	return argc == 3 && strcmp(argv[1], UPGRADE_TAKE_OVER) == 0 && take_over(keeper, argv[2]);
}
