/*
 * victim [HOST:PORT]: what others' doing costs a program that minds its own business. It connects
 * to a listener of its own on loopback about a thousand times a second, and to HOST:PORT, where one
 * is named, forty times. For each line on standard input it prints a line about the time since the
 * last one, as JSON: for both how many there were, how many failed, and in microseconds the median,
 * the 99th percentile and the worst, in which a connect that has not come back yet counts as far as
 * it is; and how many that have come back took more than 5 ms, and more than 80.
 */

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES (1 << 17)
#define PAUSE   5000  /* us */
#define LONG    80000 /* us: not the machine, but somebody */

static struct side {
	const char *name;
	struct sockaddr_in to;
	int listener; /* -1: somebody else's */
	unsigned pause_us;
	pthread_mutex_t lock;
	uint64_t since; /* ns: a connect is under way */
	unsigned count, failed;
	int error;
	uint32_t took[SAMPLES]; /* us */
} sides[] = {{.name = "plain", .listener = -1, .pause_us = 1000},
	     {.name = "tunnel", .listener = -1, .pause_us = 25000}};

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "victim: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void record(struct side *side, int error)
{
	pthread_mutex_lock(&side->lock);
	uint64_t took = (now() - side->since) / 1000;
	side->since = 0;
	if (side->count < SAMPLES)
		side->took[side->count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
	side->failed += error != 0;
	side->error = error ? error : side->error;
	pthread_mutex_unlock(&side->lock);
}

static void *connecting(void *which)
{
	struct side *side = which;
	const struct timespec pause = {0, 1000L * side->pause_us};
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		pthread_mutex_lock(&side->lock);
		side->since = now();
		pthread_mutex_unlock(&side->lock);
		int error =
			connect(fd, (struct sockaddr *)&side->to, sizeof(side->to)) < 0 ? errno : 0;
		record(side, error);
		/* closed with a reset: no port stays taken */
		struct linger reset = {1, 0};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		if (side->listener >= 0)
			close(accept(side->listener, NULL, NULL));
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void listen_on_loopback(struct side *side)
{
	socklen_t len = sizeof(side->to);
	side->to = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	side->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(side->listener, (struct sockaddr *)&side->to, len) < 0 ||
	    listen(side->listener, 8) < 0 ||
	    getsockname(side->listener, (struct sockaddr *)&side->to, &len) < 0)
		die("a listener");
}

static void resolve(struct side *side, char *text)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	char *port = strrchr(text, ':');
	if (port)
		*port++ = '\0';
	if (getaddrinfo(text, port, &hints, &found) != 0)
		die(text);
	memcpy(&side->to, found->ai_addr, sizeof(side->to));
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void report(struct side *side, bool last)
{
	static uint32_t took[SAMPLES + 1];
	unsigned pauses = 0, longs = 0;
	pthread_mutex_lock(&side->lock);
	unsigned count = side->count, failed = side->failed;
	memcpy(took, side->took, count * sizeof(*took));
	if (side->since)
		took[count] = (uint32_t)((now() - side->since) / 1000);
	bool waits = side->since && took[count] > PAUSE;
	side->count = side->failed = 0;
	pthread_mutex_unlock(&side->lock);
	unsigned all = count + waits;
	for (unsigned i = 0; i < count; i++) {
		pauses += took[i] > PAUSE;
		longs += took[i] > LONG;
	}
	qsort(took, all, sizeof(*took), by_size);
	printf("\"%s\": {\"count\": %u, \"failed\": %u, \"error\": \"%s\", \"p50\": %u, \"p99\": "
	       "%u, "
	       "\"worst\": %u, \"pauses\": %u, \"longs\": %u}%s",
	       side->name, count, failed, failed ? strerror(side->error) : "",
	       all ? took[all / 2] : 0, all ? took[all * 99 / 100] : 0, all ? took[all - 1] : 0,
	       pauses, longs, last ? "}\n" : ", ");
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char line[16];
	listen_on_loopback(&sides[0]);
	if (argc > 1)
		resolve(&sides[1], argv[1]);
	for (int i = 0; i < (argc > 1 ? 2 : 1); i++) {
		pthread_mutex_init(&sides[i].lock, NULL);
		if (pthread_create(&thread, NULL, connecting, &sides[i]) != 0)
			die("a thread");
	}
	while (fgets(line, sizeof(line), stdin)) {
		putchar('{');
		report(&sides[0], argc <= 1);
		if (argc > 1)
			report(&sides[1], true);
		fflush(stdout);
	}
	return 0;
}
