#include "cli/base/patience.h"

#include <limits.h>
#include <signal.h>
#include <stddef.h>

#include "cli/base/clock.h"

static struct {
	long long deadline_ms;       /* 0: none */
	long long held_ms, since_ms; /* 0: not holding */
} patience;

static volatile sig_atomic_t caught;
static volatile long long caught_ms; /* written once, before caught */

void patience_set(long long seconds)
{
	patience.deadline_ms = clock_ms() + seconds * 1000;
}

static long long least(long long a, long long b)
{
	return a < b ? a : b;
}

long long patience_left_ms(long long limit_ms)
{
	long long left = limit_ms, now = clock_ms();
	if (patience.deadline_ms)
		left = least(left, patience.deadline_ms - now);
	if (patience.held_ms && caught) {
		long long start = caught_ms > patience.since_ms ? caught_ms : patience.since_ms;
		left = least(left, start + patience.held_ms - now);
	}
	return left > 0 ? left : 0;
}

static void on_signal(int number)
{
	if (caught) {
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	caught_ms = clock_ms();
	caught = number;
}

void patience_catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	/* No SA_RESTART: a read of the user's code or a wait for a lock must be interrupted. */
	struct sigaction note = {.sa_handler = on_signal}, old;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &note, NULL);
}

int patience_signal(void)
{
	return caught;
}

bool patience_gives_up(long long grace_ms)
{
	return caught && !patience.held_ms && clock_ms() - caught_ms >= grace_ms;
}

void patience_hold(long long seconds)
{
	patience.held_ms = seconds * 1000;
	patience.since_ms = clock_ms();
}

int patience_fail(struct failure *failure, const char *what)
{
	return failure_set(failure, 128 + caught, "interrupted%s", what);
}
