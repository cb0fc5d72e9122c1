#ifndef GS_SHIM_ANSWER_H
#define GS_SHIM_ANSWER_H

/* Questions and answers in the terms of gethostbyname(3) and its kin. */

#include <netdb.h>
#include <stddef.h>

#include "shim/ask.h"

/* Ask, where it can be one of ours; QUESTION_OURS: the question holds name and address. */
enum question_answer answer_by_name(struct question *question, const char *name, int family);
enum question_answer answer_by_address(struct question *question, const void *address,
				       socklen_t len, int family);

/* An answer in the caller's buffer: 0, or ERANGE (and errno) where it is too small. */
int answer_give(const struct question *question, struct hostent *host, char *buffer, size_t size,
		struct hostent **result, int *error);

/* An answer in static memory, as libc's functions without _r give it. */
struct hostent *answer_give_static(const struct question *question);

#endif
