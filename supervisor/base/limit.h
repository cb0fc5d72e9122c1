#ifndef GS_LIMIT_H
#define GS_LIMIT_H

/* Limits on what strangers and programs can consume. At a limit a program's newest call is refused,
 * or the stranger that has been silent longest is dropped; never an authenticated connection. Each
 * time is counted. */

#include "supervisor/base/state.h"

struct limit_spec {
	const char *name;
	uint32_t usual, most; /* the default, and what there is room for */
	const char *what;
};

/* By enum limit. */
extern const struct limit_spec limit_specs[LIMIT_COUNT];

/* The defaults. */
void limit_init(struct limits *limits);

/* Lower those that our limit for descriptors does not allow. */
void limit_fit(struct state *state);

/* Set one from text, NAME=N: 0; -EINVAL with *why, a static text. */
int limit_set(struct limits *limits, const char *text, const char **why);

/* Are there already so many that there is no room for one more? Then that is counted; and logged,
 * if a program's call fails because of it. */
bool limit_reached(struct state *state, enum limit limit, uint32_t now);

/* How many there are now. */
uint32_t limit_now(const struct state *state, enum limit limit);

#endif
