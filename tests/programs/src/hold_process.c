/* What a process does with itself: it becomes another program, runs when nobody else does, has
 * files of its own. And the one that does no harm. */

#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 48 /* that are in the middle of exec() */
#define HOGS     6

static int listener;

/* --- exec: it closes what is to be closed with the process locked against all who look at it ---
 */

static void prepare_exec(void)
{
	fuse_start();
	fuse_hold(HELD_FLUSH);
}

static void become_another(void)
{
	char *words[] = {hold.self, NULL};
	int own = hold_listener(hold.port, SOCK_NONBLOCK); /* visited between calls */
	fcntl(own, F_SETFD, 0);
	accept(own, NULL, NULL);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); /* and looked after */
	connect(fd, (struct sockaddr *)&hold.to, sizeof(hold.to));
	fuse_open(O_RDWR, false); /* O_CLOEXEC */
	execv("/proc/self/exe", words);
	_exit(1);
}

static void attempt_exec(unsigned thread)
{
	static _Atomic unsigned made;
	(void)thread;
	if (made++ < CHILDREN && hold_fork() == 0)
		become_another();
	hold_nap(50000);
}

/* --- hosts: the program's own /etc/hosts --- */

static void prepare_hosts(void)
{
	fuse_start();
	fuse_hold(HELD_OPEN | HELD_READ);
}

static void attempt_hosts(unsigned thread)
{
	(void)thread;
	int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

/* --- idle: it is given a descriptor only once it has run --- */

static void stay_on_first(void)
{
	cpu_set_t all, first;
	CPU_ZERO(&first);
	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_SET(i, &first);
		sched_setaffinity(0, sizeof(first), &first);
		return;
	}
}

static void starve(void)
{
	struct sched_param none = {0};
	stay_on_first();
	sched_setscheduler(0, SCHED_IDLE, &none);
}

static void prepare_starved(void)
{
	for (int i = 0; i < HOGS; i++) {
		if (hold_fork() == 0) {
			stay_on_first();
			for (;;)
				;
		}
	}
}

static void prepare_idle(void)
{
	listener = hold_listener(hold.port, 0);
	prepare_starved();
}

static void attempt_idle(unsigned thread)
{
	static _Thread_local bool settled;
	(void)thread;
	if (!settled)
		starve();
	settled = true;
	int fd = accept(listener, NULL, NULL);
	if (fd >= 0)
		close(fd);
}

/* --- starved: the same, and it opens /etc/hosts --- */

static void attempt_starved(unsigned thread)
{
	static _Thread_local bool settled;
	if (!settled)
		starve();
	settled = true;
	attempt_hosts(thread);
}

/* --- burn: nothing but time, `count` thousandths of it --- */

static void attempt_burn(unsigned thread)
{
	struct timespec from, at;
	(void)thread;
	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &at);
	while ((at.tv_sec - from.tv_sec) * 1000000000 + at.tv_nsec - from.tv_nsec <
	       1000L * hold.count);
	if (hold.count < 1000)
		hold_nap(1000 - hold.count);
}

const struct attack process_attacks[] = {
	{"exec", prepare_exec, attempt_exec, 0}, {"hosts", prepare_hosts, attempt_hosts, 0},
	{"idle", prepare_idle, attempt_idle, 0}, {"starved", prepare_starved, attempt_starved, 0},
	{"burn", NULL, attempt_burn, 0},         {NULL, NULL, NULL, 0},
};
