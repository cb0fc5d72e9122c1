#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "cli/base/place.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor.h"

/* doctor: tests the launcher with a command that ends at once (this program). */

#define LIMIT_MS  10000
#define SAID_MAX  1024
#define WORDS_MAX (CONF_MAPPED_MAX + 3)
#define INTERCEPT "GLOBUS_STREAMS_INTERCEPT_PORT_"
#define NOBODY    "00000000-0000-4000-8000-000000000000" /* an invented tunnel, for the test */

extern char **environ;

/* Drop variables that would add other tunnels, with their conf files, or name a supervisor,
 * which would keep the invented tunnel. */
static void drop_others(void)
{
	unsetenv("GLOBUS_STREAMS_SUPERVISOR");
	for (char **at = environ; *at;) {
		cleanup_free char *name = strndup(*at, strcspn(*at, "="));
		if (name && strncmp(name, INTERCEPT, strlen(INTERCEPT)) == 0)
			unsetenv(name); /* moves the following ones up */
		else
			at++;
	}
}

/* LAUNCHER --base-dir BASE ID -- OWN WORD… */
static void execute(const char *launcher, const char *base, const char *id, const char *own,
		    const char *const *words)
{
	const char *argv[WORDS_MAX + 7] = {launcher, "--base-dir", base, id, "--", own};
	for (size_t i = 0; words[i] && i < WORDS_MAX; i++)
		argv[6 + i] = words[i];
	execv(launcher, (char *const *)argv);
}

static void become(const char *launcher, const char *base, const char *id, const char *const *words,
		   int out, int said)
{
	cleanup_free char *own = realpath("/proc/self/exe", NULL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || !own || dup2(null, 0) < 0 || dup2(out < 0 ? null : out, 1) < 0 ||
	    dup2(said, 2) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	if (strcmp(id, NOBODY) == 0)
		drop_others();
	execute(launcher, base, id, own, words);
	dprintf(2, "%s: %s\n", launcher, strerror(errno));
	_exit(126);
}

/* Wait for it: its exit status, 128 + its signal, or -ETIMEDOUT. */
static int wait_for(pid_t child)
{
	long long end = clock_ms() + LIMIT_MS;
	int status;
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (clock_ms() >= end) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return -ETIMEDOUT;
		}
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		say_tick();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The first line of the output, without the program's name; NULL: nothing. */
static char *first_line(int file)
{
	static const char name[] = "globus-streams-run: ";
	char text[SAID_MAX];
	ssize_t len = pread(file, text, sizeof(text) - 1, 0);
	if (len <= 0)
		return NULL;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strdup(strncmp(text, name, strlen(name)) == 0 ? text + strlen(name) : text);
}

int doctor_try_launcher(const char *base, const char *id, const char *const *words, int out,
			char **said)
{
	cleanup_free char *launcher = place_beside_us("globus-streams-run");
	cleanup_fd int file = memfd_create("said", MFD_CLOEXEC);
	*said = NULL;
	if (!launcher)
		*said = strdup("globus-streams-run is not installed next to this program; "
			       "reinstall the package");
	if (!launcher || file < 0)
		return -ENOENT;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		become(launcher, base, id, words, out, file);
	if (child < 0)
		return -errno;
	int status = wait_for(child);
	*said = status == -ETIMEDOUT ? strdup("it did not end within 10 s") : first_line(file);
	if (status > 0 && !*said && asprintf(said, "exit status %d", status) < 0)
		*said = NULL;
	return status;
}

/* With a conf file of our own, in a folder of our own. */
static int try_with_conf(const char *base, char **said)
{
	struct conf conf = {0};
	cleanup_free char *path = NULL;
	int err = conf_set(&conf, CONF_CONTACT, "127.0.0.1:1");
	if (!err)
		err = conf_file_write(base, NOBODY, &conf, said);
	conf_finish(&conf);
	if (!err)
		err = doctor_try_launcher(base, NOBODY, (const char *[]){"--version", NULL}, -1,
					  said);
	if (asprintf(&path, "%s/" NOBODY ".conf", base) < 0)
		path = NULL;
	else
		unlink(path);
	return err;
}

void doctor_launcher(struct doctor *doctor)
{
	const char *temporary = getenv("TMPDIR");
	cleanup_free char *base = NULL, *said = NULL;
	if (asprintf(&base, "%s/globus-streams-XXXXXX",
		     temporary && *temporary ? temporary : "/tmp") < 0)
		base = NULL;
	if (!base || !mkdtemp(base)) {
		doctor_say(doctor, DOCTOR_WARNING, "launcher",
			   "not tested: cannot create %s: %s; set TMPDIR", base ? base : "a folder",
			   strerror(errno));
		return;
	}
	say_waiting("testing the launcher");
	int status = try_with_conf(base, &said);
	rmdir(base);
	if (status == 0 && !said)
		doctor_say(doctor, DOCTOR_OK, "launcher", "globus-streams-run runs a command");
	else
		doctor_say(doctor, status ? DOCTOR_FAILED : DOCTOR_WARNING, "launcher",
			   "globus-streams-run %s: %s", status ? "cannot run a command" : "reports",
			   said ? said : "no reason given");
}
