#ifndef GS_SHIM_ASK_H
#define GS_SHIM_ASK_H

/*
 * The shim's question to the supervisor: protocol/control.h says how it travels. A program that no
 * supervisor watches pays one system call for it, which fails.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/control.h"

/* The names and addresses that can be ours at all: for others nobody is asked. A name that is an
 * address, is empty or does not fit in a question stays with libc. */
bool ask_is_name(const char *name);
bool ask_is_ipv4(struct in_addr address);
bool ask_is_ipv6(const struct in6_addr *address);

/* Ask for the address of name, which ask_is_name(); family is 4, 6 or 0 for either, port 0 where it
 * is not known. QUESTION_OURS: question->family says 4 or 6 and question->address is set. */
enum question_answer ask_resolve(struct question *question, const char *name, uint8_t family,
				 uint16_t port);

/* Ask for the name of an address, family 4 or 6, in network order. QUESTION_OURS: question->name is
 * set and ends in NUL. */
enum question_answer ask_reverse(struct question *question, uint8_t family, const void *address);

/* Above 0 while libc works for a function of ours, which has asked: nobody need ask again. The
 * thread's own, in memory that a preloaded library has from the start. */
extern __thread int ask_was_asked __attribute__((tls_model("initial-exec")));

/* The value of a call of libc's, with that said. */
#define ask_done(call)                                                                             \
	({                                                                                         \
		ask_was_asked++;                                                                   \
		__auto_type result_ = (call);                                                      \
		ask_was_asked--;                                                                   \
		result_;                                                                           \
	})

#endif
