#include "tests/bench/worker.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const struct command {
	const char *name;
	void (*run)(char **words);
} commands[] = {
	{"connect", connect_command},   {"accept", accept_command}, {"first", first_command},
	{"exchange", exchange_command}, {"storm", storm_command},   {"hold", hold_command},
	{"call", call_command},         {"take", take_command},     {"bind", bind_command},
	{"idle", idle_command},         {"block", block_command},   {"which", which_command},
};

const char *word(char ***words)
{
	errno = 0;
	if (!**words)
		bench_die("a word is missing");
	return *(*words)++;
}

long word_number(char ***words, long min, long max)
{
	return bench_number(word(words), min, max);
}

void where_read(struct where *where, char ***words)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	const char *host = word(words), *port = word(words);
	int err = getaddrinfo(host, port, &hints, &found);
	if (err)
		bench_die("%s: %s", host, gai_strerror(err));
	memset(where, 0, sizeof(*where));
	memcpy(&where->address, found->ai_addr, found->ai_addrlen);
	where->len = found->ai_addrlen;
	where->family = found->ai_family;
	freeaddrinfo(found);
	where->peer = (uint16_t)word_number(words, 1, UINT16_MAX);
	const char *conf = word(words);
	where->calls = strcmp(conf, "-") != 0;
	if (where->calls)
		secret_read(&where->secret, conf);
}

void answer(const uint64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf(i ? " %llu" : "%llu", (unsigned long long)values[i]);
	putchar('\n');
	fflush(stdout);
}

void answer_one(uint64_t value)
{
	answer(&value, 1);
}

static void obey(char *line)
{
	char *words[WORDS_MAX + 1] = {0}, *rest = line;
	for (size_t i = 0; i < WORDS_MAX && (words[i] = strsep(&rest, " \n")) && *words[i]; i++)
		words[i + 1] = NULL;
	for (size_t i = 0; i < WORDS_MAX; i++)
		if (words[i] && !*words[i])
			words[i] = NULL;
	for (size_t i = 0; words[0] && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, words[0]) != 0)
			continue;
		commands[i].run(words + 1);
		return;
	}
	errno = 0;
	bench_die("%s is not a command", words[0] ? words[0] : "nothing");
}

int main(void)
{
	char line[4096];
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	return 0;
}
