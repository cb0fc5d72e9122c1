#include "cli/connections/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/base/text.h"
#include "cli/connections/owners.h"

static long long clock_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
	uint64_t one = ((const struct connection *)a)->now.cookie;
	uint64_t other = ((const struct connection *)b)->now.cookie;
	return one < other ? -1 : one > other;
}

/* sockets_take */
static int take(void *context, const struct sockets_look *look)
{
	struct survey *survey = context;
	const struct place *place = places_find(survey->places, look);
	if (!place)
		return 0;
	if (survey->count == survey->room) {
		size_t room = survey->room ? 2 * survey->room : 64;
		void *more = reallocarray(survey->list, room, sizeof(*survey->list));
		if (!more)
			return -ENOMEM;
		survey->list = more;
		survey->room = room;
	}
	survey->list[survey->count++] = (struct connection){.now = *look, .place = place};
	return 0;
}

static void name(struct connection *connection, const struct owners *owners, uid_t user)
{
	const struct owner *owner = owners_find(owners, connection->now.inode);
	const char *other = connection->now.user == user ? "unknown" : "another user";
	/* who had it before it was closed */
	if (!owner && connection->pid)
		return;
	if (!connection->now.inode)
		other = "closed";
	snprintf(connection->process, sizeof(connection->process), "%s",
		 owner ? owner->name : other);
	text_clean(connection->process);
	connection->pid = owner ? owner->pid : 0;
}

/* What the kernel's counters say of the age: it cannot be less than any of these. */
static long long least_age(const struct sockets_look *look)
{
	const struct tcp_info *info = &look->info;
	long long ages[] = {info->tcpi_last_data_sent, info->tcpi_last_data_recv,
			    info->tcpi_last_ack_recv, (long long)(info->tcpi_busy_time / 1000)};
	long long most = 0;
	/* what never came is counted from the machine's start */
	if (!look->received)
		ages[1] = 0;
	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++)
		most = ages[i] > most ? ages[i] : most;
	return most;
}

static uint64_t without(uint64_t bytes, uint64_t handshake)
{
	return bytes > handshake ? bytes - handshake : 0;
}

static void measure(struct connection *connection, long long us)
{
	const struct sockets_look *before = &connection->before, *now = &connection->now;
	const struct place *place = connection->place;
	uint64_t first_out = place_handshake_sent(place),
		 first_in = place_handshake_received(place);
	connection->sent = without(now->sent, first_out);
	connection->received = without(now->received, first_in);
	if (connection->measured && us > 0) {
		double seconds = (double)us / 1e6;
		connection->sent_rate =
			(double)(connection->sent - without(before->sent, first_out)) / seconds;
		connection->received_rate =
			(double)(connection->received - without(before->received, first_in)) /
			seconds;
	}
	bool authenticated = now->sent >= first_out && now->received >= first_in;
	connection->verdict =
		verdict_of(connection->measured ? before : NULL, now, us, authenticated);
	memmove(connection->history, connection->history + 1,
		sizeof(connection->history) - sizeof(*connection->history));
	connection->history[SURVEY_HISTORY - 1] =
		(float)(connection->sent_rate + connection->received_rate);
}

const struct connection *survey_find(const struct survey *survey, uint64_t cookie)
{
	const struct connection wanted = {.now = {.cookie = cookie}};
	if (!survey->count)
		return NULL;
	return bsearch(&wanted, survey->list, survey->count, sizeof(wanted), compare);
}

/* What was known of it from the look before. */
static void remember(struct connection *connection, const struct survey *old, long long now_us)
{
	const struct connection *known = survey_find(old, connection->now.cookie);
	connection->first_ms = now_us / 1000;
	if (known) {
		connection->before = known->now;
		connection->measured = true;
		connection->began = known->began;
		connection->pid = known->pid;
		memcpy(connection->process, known->process, sizeof(known->process));
		connection->first_ms = known->first_ms;
		connection->least_ms = known->least_ms;
		memcpy(connection->history, known->history, sizeof(known->history));
	} else {
		connection->began = old->looked;
		connection->least_ms = least_age(&connection->now);
	}
	connection->age_ms = now_us / 1000 - connection->first_ms + connection->least_ms;
}

int survey_look(struct survey *survey, const struct places *places, bool names,
		struct failure *failure)
{
	struct survey old = *survey;
	struct owners owners = {0};
	uid_t user = geteuid();
	*survey = (struct survey){.places = places, .when_us = clock_us(), .looked = true};
	int err = sockets_each(take, survey);
	if (!err && names)
		err = owners_init(&owners);
	if (err) {
		survey_finish(&old);
		return failure_set(failure, STATUS_FAILED,
				   "the kernel does not list connections: %s", strerror(-err));
	}
	if (survey->count)
		qsort(survey->list, survey->count, sizeof(*survey->list), compare);
	for (size_t i = 0; i < survey->count; i++) {
		remember(&survey->list[i], &old, survey->when_us);
		name(&survey->list[i], &owners, user);
		measure(&survey->list[i], survey->when_us - old.when_us);
	}
	owners_finish(&owners);
	survey_finish(&old);
	return 0;
}

void survey_finish(struct survey *survey)
{
	free(survey->list);
	*survey = (struct survey){0};
}
