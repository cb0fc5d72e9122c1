#ifndef GS_CONN_H
#define GS_CONN_H

/* Connections being made, by their sockets' cookies, and the calls that wait for them. */

#include "supervisor/calls/core.h"
#include "supervisor/kernel/target.h"

/* The conn of a socket, or NONE. */
uint32_t conn_find(const struct state *state, uint64_t cookie);

/* A conn for a socket that has none, of a launch; it takes the duplicate fd. NONE: too many. */
uint32_t conn_add(struct state *state, uint32_t program, const struct identity *identity, int fd);

/* Put it where conn_find() looks. */
void conn_put(struct state *state, uint32_t conn);

/* Forget it; no call may wait for it. */
void conn_forget(struct supervisor *s, uint32_t conn);

/* Give the duplicate back: unwatch and close. */
void conn_drop_socket(struct supervisor *s, struct conn *conn);

/* Answer all calls that wait: error 0 or a positive errno. True if one was still there to be told.
 */
bool conn_answer(struct supervisor *s, struct conn *conn, int error);

/* Let the kernel answer all calls that wait: none of them gets as far as to call the address. */
void conn_pass(struct supervisor *s, struct conn *conn);

/* Answer a getsockopt(SO_ERROR) with this error, as far as there is room for it. False: the
 * question was wrong, so that the error is still to be told. */
bool conn_answer_so_error(struct supervisor *s, uint32_t call, int error);

/* Has a program still the socket? A call of it waits, or did a moment ago; or a descriptor of it is
 * there. Where who began has it no more, all others are looked through meanwhile (search.h). */
enum wanted { UNWANTED, WANTED, SEARCHED_FOR };
enum wanted conn_wanted(struct supervisor *s, struct conn *conn);

/* Say in one line what went wrong and what to do. why: a few words, or NULL. */
void conn_report(const struct supervisor *s, const struct conn *conn, int error, const char *why);

/* A debug line: what happens to it, and when. */
void conn_debug(const struct supervisor *s, const struct conn *conn, const char *what);

#endif
