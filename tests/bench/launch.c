/*
 * bench-launch ROUNDS COMMAND... --- COMMAND...: how long two commands take to start and end, in
 * turn. Prints two lines of nanoseconds, one for each. A command that fails ends it.
 */

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define ROUNDS_MAX 10000

extern char **environ;

static uint64_t launch(char **command)
{
	pid_t child;
	int status;
	uint64_t began = bench_now();
	errno = posix_spawnp(&child, command[0], NULL, NULL, command, environ);
	if (errno || waitpid(child, &status, 0) < 0)
		bench_die("%s", command[0]);
	uint64_t took = bench_now() - began;
	if (status != 0)
		bench_die("%s failed", command[0]);
	return took;
}

int main(int argc, char **argv)
{
	static uint64_t took[2][ROUNDS_MAX];
	char **commands[2] = {argv + 2, NULL};
	for (int i = 3; i < argc && !commands[1]; i++) {
		if (strcmp(argv[i], "---") != 0)
			continue;
		argv[i] = NULL;
		commands[1] = argv + i + 1;
	}
	if (!commands[1] || !*commands[1]) {
		fprintf(stderr, "Usage: bench-launch ROUNDS COMMAND... --- COMMAND...\n");
		return 2;
	}
	long rounds = bench_number(argv[1], 1, ROUNDS_MAX);
	for (long i = 0; i < rounds; i++)
		for (int which = 0; which < 2; which++)
			took[which][i] = launch(commands[which]);
	for (int which = 0; which < 2; which++) {
		for (long i = 0; i < rounds; i++)
			printf("%llu ", (unsigned long long)took[which][i]);
		putchar('\n');
	}
	return 0;
}
