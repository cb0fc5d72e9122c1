#include "cli/patience.h"

#include <limits.h>
#include <signal.h>
#include <stddef.h>

#include "cli/clock.h"

static struct {
	long long deadline_ms; /* 0: none */
	bool undoing;
} patience;

static volatile sig_atomic_t caught;
static volatile long long caught_ms; /* written once, before caught */

void patience_set(long long seconds)
{
	patience.deadline_ms = clock_ms() + seconds * 1000;
}

long long patience_left_ms(long long limit_ms)
{
	if (!patience.deadline_ms)
		return limit_ms;
	long long left = patience.deadline_ms - clock_ms();
	if (left < 0)
		left = 0;
	return left < limit_ms ? left : limit_ms;
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
	/* Not restarted: what waits for the user's code or a lock shall notice. */
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
	return caught && !patience.undoing && clock_ms() - caught_ms >= grace_ms;
}

void patience_undo(long long seconds)
{
	patience.undoing = true;
	patience_set(seconds);
}

int patience_fail(struct failure *failure, const char *what)
{
	return failure_set(failure, 128 + caught, "interrupted%s", what);
}
