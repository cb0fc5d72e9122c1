/*
 * hold MODE SECONDS THREADS [NAME=VALUE…]: hold up whoever looks at what this program owns
 * (hold.h).
 *
 *     port=N       the tunnel's listening port       to=HOST:PORT   where a tunnel is called
 *     fuse=DEVICE  in place of /dev/fuse             bad=HOST:PORT  a tunnel that refuses
 *     async=1      see hold.h                        count=N        sockets closed by one attempt
 *     uid=N        whose FUSE file it is, if this is root
 *     go=FILE      wait until it exists, after "ready" was printed
 *
 * A thread that is held itself is replaced by another. Prints in the end how many attempts were
 * made and came back, and how much processor time it took.
 */

#include "hold.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HELD_MS  50 /* a thread whose attempt takes longer is replaced … */
#define REPLACED 64 /* … so many times at most */

struct hold hold = {.device = "/dev/fuse", .count = 1};

static const struct attack *attack;
static _Atomic unsigned long tried, answered;
static _Atomic bool over;
static struct {
	_Atomic uint64_t since; /* ns; 0: between attempts */
	bool replaced;
} threads[HOLD_THREADS];

void hold_nap(unsigned us)
{
	struct timespec time = {us / 1000000, us % 1000000 * 1000L};
	nanosleep(&time, NULL);
}

void hold_fail(const char *what)
{
	fprintf(stderr, "hold: %s: %s\n", what, strerror(errno));
	exit(1);
}

void hold_skip(const char *what)
{
	printf("skip: %s: %s\n", what, strerror(errno));
	exit(HOLD_SKIP);
}

int hold_fork(void)
{
	pid_t parent = getpid(), child = fork();
	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	return 0;
}

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void *attempts(void *which)
{
	unsigned thread = (unsigned)(uintptr_t)which;
	while (!over) {
		threads[thread].since = now();
		tried++;
		attack->attempt(thread);
		answered++;
		threads[thread].since = 0;
		if (attack->pause_us)
			hold_nap(attack->pause_us);
	}
	return NULL;
}

static void start_thread(unsigned thread)
{
	pthread_t handle;
	if (pthread_create(&handle, NULL, attempts, (void *)(uintptr_t)thread) != 0)
		hold_fail("a thread");
}

/* One more for each that is held. */
static unsigned replace_held(unsigned count)
{
	for (unsigned i = 0, most = hold.threads + REPLACED; i < count && count < most; i++) {
		uint64_t since = threads[i].since;
		if (threads[i].replaced || !since || now() - since < HELD_MS * 1000000ull)
			continue;
		threads[i].replaced = true;
		start_thread(count++);
	}
	return count;
}

/* --- words --- */

static void resolve(char *text, struct sockaddr_in *to)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	char *port = strrchr(text, ':');
	if (port)
		*port++ = '\0';
	int error = getaddrinfo(text, port, &hints, &found);
	if (error) {
		fprintf(stderr, "hold: %s: %s\n", text, gai_strerror(error));
		exit(1);
	}
	memcpy(to, found->ai_addr, sizeof(*to));
	freeaddrinfo(found);
}

static char *value_of(char *word, const char *name)
{
	size_t len = strlen(name);
	return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static const char *take(char **words)
{
	const char *go = NULL;
	for (char *value; *words; words++) {
		if ((value = value_of(*words, "port")))
			hold.port = (uint16_t)atoi(value);
		else if ((value = value_of(*words, "to")))
			resolve(value, &hold.to);
		else if ((value = value_of(*words, "bad")))
			resolve(value, &hold.bad);
		else if ((value = value_of(*words, "fuse")))
			hold.device = value;
		else if ((value = value_of(*words, "async")))
			hold.async = atoi(value);
		else if ((value = value_of(*words, "count")))
			hold.count = (unsigned)atoi(value);
		else if ((value = value_of(*words, "uid")))
			hold.uid = (unsigned)atoi(value);
		else if ((value = value_of(*words, "go")))
			go = value;
	}
	return go;
}

static const struct attack *find(const char *name)
{
	const struct attack *all[] = {memory_attacks, socket_attacks, process_attacks};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (const struct attack *one = all[i]; one->name; one++)
			if (strcmp(one->name, name) == 0)
				return one;
	fprintf(stderr, "hold: no mode %s\n", name);
	exit(2);
}

static double busy(void)
{
	struct rusage self, children;
	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	const struct timeval all[] = {self.ru_utime, self.ru_stime, children.ru_utime,
				      children.ru_stime};
	double sum = 0;
	for (size_t i = 0; i < 4; i++)
		sum += (double)all[i].tv_sec + (double)all[i].tv_usec / 1e6;
	return sum;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	hold.self = argv[0];
	hold.seconds = atof(argv[2]);
	hold.threads = (unsigned)atoi(argv[3]);
	const char *go = take(argv + 4);
	attack = find(argv[1]);
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)hold.seconds + HOLD_GRACE + (go ? HOLD_START : 0));
	if (attack->prepare)
		attack->prepare();
	puts("ready");
	fflush(stdout);
	while (go && access(go, F_OK) < 0)
		hold_nap(5000);
	alarm((unsigned)hold.seconds + HOLD_GRACE);
	uint64_t end = now() + (uint64_t)(hold.seconds * 1e9);
	unsigned count = hold.threads;
	for (unsigned i = 0; i < count; i++)
		start_thread(i);
	while (now() < end) {
		hold_nap(10000);
		count = replace_held(count);
	}
	over = true;
	fuse_stop();
	printf("tried=%lu answered=%lu threads=%u busy=%.2f\n", tried, answered, count, busy());
	fflush(stdout);
	_exit(0); /* the others with it, wherever they are */
}
