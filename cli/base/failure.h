#ifndef GS_FAILURE_H
#define GS_FAILURE_H

/* What went wrong: one sentence for the user, with what to do, and the exit status that it means.
 */

#include <stdarg.h>
#include <stdbool.h>

enum {
	STATUS_FAILED = 1, /* a service or the command */
	STATUS_USAGE = 2,
	STATUS_LOGIN = 4, /* a login, session or consent is needed */
};

struct failure {
	int status; /* 0: nothing failed */
	long http;  /* the HTTP status, if that was the reason; 0: none */
	char *text;
	char *answer; /* the JSON that http came with; NULL: none */
	bool gone;    /* a 404 in the words of a service that knows the thing's kind */
};

/* Set the message, replacing an earlier one. Always -1, to be returned. */
__attribute__((format(printf, 3, 4))) int failure_set(struct failure *failure, int status,
						      const char *format, ...);

/* Put words before the message. Always -1. */
__attribute__((format(printf, 2, 3))) int failure_prefix(struct failure *failure,
							 const char *format, ...);

/* Put words after it. Always -1. */
__attribute__((format(printf, 2, 3))) int failure_append(struct failure *failure,
							 const char *format, ...);

/* Out of memory: -1. */
int failure_memory(struct failure *failure);

void failure_finish(struct failure *failure);

#endif
