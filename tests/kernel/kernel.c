#include "tests/kernel/kernel.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/older.h"

#define WATCHDOG 60 /* seconds: nothing takes a tenth of it, even where the machine is emulated */
#define SKIPPED  77

print_like(2, 0) static void say(const char *kind, const char *format, va_list args)
{
	char text[512];
	vsnprintf(text, sizeof(text), format, args);
	dprintf(STDOUT_FILENO, "%s: %s\n", kind, text);
}

void seen(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("seen", format, args);
	va_end(args);
}

void wrong(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("does not hold", format, args);
	va_end(args);
	_exit(1);
}

void skip(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("skipped", format, args);
	va_end(args);
	_exit(SKIPPED);
}

int it_holds(void)
{
	return 0;
}

static void too_long(int signal)
{
	static const char text[] = "does not hold: what was waited for does not come\n";
	(void)signal;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

void become(uid_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		skip("cannot become user %u: %s", (unsigned)uid, strerror(errno));
	prctl(PR_SET_DUMPABLE, 1);
}

void believe(const char *what)
{
	struct utsname name;
	const char *user = getenv("GS_KERNEL_USER");
	uname(&name);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0); /* numbers count for some */
	dprintf(STDOUT_FILENO, "%s %s %s: %s\n", name.sysname, name.release, name.machine, what);
	signal(SIGALRM, too_long);
	alarm(WATCHDOG);
	if (user && getuid() != 0)
		skip("this is an ordinary user already: the run without it tells");
	if (user)
		become((uid_t)strtoul(user, NULL, 10));
}

bool kernel_since(unsigned major, unsigned minor)
{
	struct utsname name;
	unsigned has_major = 0, has_minor = 0;
	uname(&name);
	if (sscanf(name.release, "%u.%u", &has_major, &has_minor) != 2)
		skip("what version is %s?", name.release);
	return has_major > major || (has_major == major && has_minor >= minor);
}

long number_in(const char *path)
{
	long number = -1;
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

void *shared(size_t size)
{
	void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(room != MAP_FAILED, "mmap: %s", strerror(errno));
	return room;
}

pid_t start(body_function *body, void *arg)
{
	pid_t parent = getpid(), pid = fork();
	expect(pid >= 0, "fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGALRM, SIG_DFL);
	_exit(body(arg));
}

int ended(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, __WALL) < 0)
		expect(errno == EINTR, "waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static char state_of(pid_t pid)
{
	char path[64], found = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *stat = fopen(path, "re");
	expect(stat, "%s: %s", path, strerror(errno));
	/* the name may hold anything but has none of these in our programs */
	int got = fscanf(stat, "%*d (%*[^)]) %c", &found);
	fclose(stat);
	expect(got == 1, "%s cannot be read", path);
	return found;
}

void wait_state(pid_t pid, char state)
{
	while (state_of(pid) != state)
		sched_yield();
}

void wait_asleep(pid_t pid)
{
	while (!strchr("SD", state_of(pid)))
		sched_yield();
}

void need_to_look_into_children(void)
{
	long scope = number_in("/proc/sys/kernel/yama/ptrace_scope");
	if (scope > 2 || (scope == 2 && getuid() != 0))
		skip("kernel.yama.ptrace_scope is %ld", scope);
}

int error_of(long result)
{
	return result == -1 ? errno : 0;
}
