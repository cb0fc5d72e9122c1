#include "cli/run/run_expiry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/conf_file.h"
#include "cli/run/run_setup.h"

#define ASK_SECONDS 10 /* globus-streams itself gives up after 5 */
#define PREFIX      "globus-streams: "
#define WHEN        64

enum verdict { ALIVE, ENDED, UNKNOWN };

/* In the child. It is not to ask for a login: stdin is not the user's. */
_Noreturn static void become(const char *cli, const char *base, const char *id, int out)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	signal(SIGALRM, SIG_DFL);
	alarm(ASK_SECONDS); /* outlives exec */
	execlp(cli, "globus-streams", "environment", "update", "--expiry", "--base-dir", base, id,
	       NULL);
	dprintf(STDERR_FILENO, PREFIX "%s cannot be run: %s\n", cli, strerror(errno));
	_exit(127);
}

/* Read to the end; what does not fit is left out. */
static void read_all(int fd, char *text, size_t size)
{
	char rest[256];
	size_t len = 0;
	for (;;) {
		size_t room = size - 1 - len;
		ssize_t got = read(fd, room ? text + len : rest, room ? room : sizeof(rest));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += room ? (size_t)got : 0;
	}
	text[len] = '\0';
}

/* The answer is a line of its own; libraries may have added lines. *why: else the last line. */
static enum verdict find_verdict(char *text, const char **why)
{
	*why = "it gave no reason";
	for (char *line; (line = strsep(&text, "\n"));) {
		if (strcmp(line, "alive") == 0)
			return ALIVE;
		if (strcmp(line, "ended") == 0)
			return ENDED;
		if (*line)
			*why = line;
	}
	if (strncmp(*why, PREFIX, sizeof(PREFIX) - 1) == 0)
		*why += sizeof(PREFIX) - 1;
	return UNKNOWN;
}

static enum verdict ask(const char *cli, const char *base, const char *id, char *text, size_t size,
			const char **why)
{
	int ends[2], status = 0;
	*why = "no pipe or process could be made";
	if (pipe2(ends, O_CLOEXEC) < 0)
		return UNKNOWN;
	pid_t child = fork();
	if (child == 0)
		become(cli, base, id, ends[1]);
	close(ends[1]);
	if (child > 0) {
		read_all(ends[0], text, size);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	if (child < 0)
		return UNKNOWN;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		*why = "no answer within 10 s";
		return UNKNOWN;
	}
	return find_verdict(text, why);
}

/* "2026-01-31 16:00:00", of this machine's clock. */
static const char *clock_text(time_t when, char text[WHEN])
{
	struct tm tm;
	if (!localtime_r(&when, &tm) || !strftime(text, WHEN, "%F %T", &tm))
		*text = '\0';
	return text;
}

/* When the job ends at the latest in which this runs, as Slurm says (sbatch(1)); 0: there is none.
 */
static time_t job_end(void)
{
	const char *text = getenv("SLURM_JOB_END_TIME");
	char *rest;
	if (!text || *text < '0' || *text > '9')
		return 0;
	long long end = strtoll(text, &rest, 10);
	return *rest ? 0 : (time_t)end;
}

static void warn_of_job(const char *id, time_t end)
{
	char ours[WHEN], jobs[WHEN];
	time_t job = job_end();
	if (job > end)
		run_error(
			"tunnel %s ends at %s, and this job may run until %s; if it needs the "
			"tunnel for so "
			"long, use one that lasts: globus-streams tunnel create --lifetime-minutes",
			id, clock_text(end, ours), clock_text(job, jobs));
}

int run_expiry_check(const char *cli, const char *base, const char *id, int64_t expiration)
{
	time_t end = (time_t)expiration;
	char when[WHEN], text[4096];
	const char *why;
	if (expiration && end > time(NULL))
		warn_of_job(id, end);
	if (!expiration || end > time(NULL))
		return 0;
	cleanup_free char *option = conf_file_option(base);
	enum verdict verdict = ask(cli, base, id, text, sizeof(text), &why);
	if (verdict == ENDED)
		run_error("tunnel %s has ended, as Transfer confirms (it expired at %s); create a "
			  "new one with: globus-streams tunnel create",
			  id, clock_text(end, when));
	else if (verdict == UNKNOWN)
		run_error("tunnel %s expired at %s by its conf file, and Transfer could not be "
			  "asked (%s); the command is started all the same: if connections fail, "
			  "run: globus-streams environment update %s%s",
			  id, clock_text(end, when), why, option ? option : "", id);
	return verdict == ENDED;
}
