#ifndef GS_SUGGEST_H
#define GS_SUGGEST_H

/* "did you mean": the nearest of several known words to a mistyped one. */

#include <stddef.h>

#define SUGGEST_WORD_MAX 32

struct suggest {
	char word[SUGGEST_WORD_MAX];
	const char *best;
	size_t distance;
};

/* Begin with what was typed: len bytes of it. */
void suggest_init(struct suggest *suggest, const char *typed, size_t len);

/* Offer a candidate. It must stay valid until suggest_best(). */
void suggest_offer(struct suggest *suggest, const char *known);

/* The nearest candidate; NULL if more than a third of its letters would be wrong. */
const char *suggest_best(const struct suggest *suggest);

#endif
