#ifndef GS_SURVEY_H
#define GS_SURVEY_H

/* The connections of tunnels, looked at again and again: what has moved between two looks. */

#include <sys/types.h>

#include "cli/connections/places.h"
#include "cli/connections/verdict.h"

#define SURVEY_PROCESS 48 /* bytes of a process's name as it is shown */
#define SURVEY_HISTORY 32

struct connection {
	struct sockets_look before, now;
	const struct place *place;
	char process[SURVEY_PROCESS];    /* "python3"; "another user"; "unknown": clean text */
	pid_t pid;                       /* 0: not known */
	bool measured;                   /* before is there */
	bool began;                      /* it was seen to begin: its age is known */
	long long first_ms;              /* clock_ms() when it was first seen */
	long long least_ms;              /* what its age was then, at least */
	long long age_ms;                /* now: at least, or began */
	uint64_t sent, received;         /* bytes, without the handshake's */
	double sent_rate, received_rate; /* bytes a second */
	enum verdict verdict;
	float history[SURVEY_HISTORY]; /* sum of the rates, the newest last */
};

struct survey {
	const struct places *places;
	struct connection *list; /* sorted by cookie */
	size_t count, room;
	long long when_us;
	bool looked;
};

/* Look, and compare with the look before. names: also find the processes, which takes longest. 0,
 * or -1 with failure; places must stay. */
int survey_look(struct survey *survey, const struct places *places, bool names,
		struct failure *failure);
/* The connection with this cookie at the last look; NULL: none. */
const struct connection *survey_find(const struct survey *survey, uint64_t cookie);

void survey_finish(struct survey *survey);

#endif
