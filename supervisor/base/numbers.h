#ifndef GS_NUMBERS_H
#define GS_NUMBERS_H

/*
 * Which numbers descriptors have. Below OWN_NUMBERS there are only descriptors that keeper and
 * supervisor began with, and /dev/null in all other places: what is duplicated from programs has
 * higher numbers. So a child of the keeper's can leave all of those behind without closing one: to
 * close a duplicate of a file that some program serves (FUSE) can take for ever, even where others
 * have it open too.
 */

#include <stdbool.h>

#define OWN_NUMBERS 64 /* the least that close_range(2) copies when it unshares a table */

/* Fill all places that are free below. Not where there may be few descriptors at all. */
void numbers_fill(void);

/* Close one of ours: its place is not to be had by a program's. Any other is closed too. */
void numbers_close(int fd);

/* In a child that was cloned with CLONE_FILES: from now on it has a table of its own, an empty one.
 * False: errno. */
bool numbers_leave(void);

#endif
