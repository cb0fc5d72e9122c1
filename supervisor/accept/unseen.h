#ifndef GS_UNSEEN_H
#define GS_UNSEEN_H

/*
 * accept() where the descriptor cannot be had: by a program that cannot be looked into, or while
 * the keeper does not answer. Whether the socket is at a tunnel's port is not known then; but
 * bind() and listen() were seen. Processes that called these for a tunnel's port, or perhaps for
 * one, are marked: their accept() is refused, and that of the processes that have come of them;
 * where a marked one has ended, everybody's while a socket listens on a tunnel's port that nobody
 * known has. Others (an agent with a socket of AF_UNIX) go on.
 */

#include "supervisor/calls/core.h"

/* The process of this call listens at a tunnel's port, or may. */
void unseen_mark(struct supervisor *s, const struct call *call);

/* May an address of that length be of the internet families? Programs give their exact sizes, or
 * all the room that there is; AF_UNIX's end at 110. */
bool unseen_length(uint64_t len);

/* Answer an accept() whose descriptor cannot be had, with an error of target.h's. */
void unseen_accept(struct supervisor *s, uint32_t call, int error);

#endif
