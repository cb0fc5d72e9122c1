#ifndef GS_CONNECT_END_H
#define GS_CONNECT_END_H

/* How a connection that is being made ends, and another try with a contact that was fetched again.
 * After each of these but connect_leave_contact() the conn may be gone. */

#include "supervisor/calls/core.h"

/* It is there: the calls that wait are answered. */
void connect_succeed(struct supervisor *s, uint32_t conn);

/* It has failed, with this errno; why: a few words for the user, or NULL. */
void connect_fail(struct supervisor *s, uint32_t conn, int error, const char *why);

/* The rest of that, where a supervisor ended in it. */
void connect_finish_failure(struct supervisor *s, uint32_t conn);

/* TCP has failed, and the kernel tells the program, unless there is an error to be told. */
void connect_fail_in_kernel(struct supervisor *s, uint32_t conn);

/* Give up on the contact: the same, or fetch it again where that may help. error 0: the kernel has
 * it and will tell. */
void connect_fail_or_retry(struct supervisor *s, uint32_t conn, int error, const char *why);

/* The socket is as it was before it was connected to this contact. */
void connect_leave_contact(struct conn *conn);

/* Have the contact fetched; connect_lookup_over() goes on. */
void connect_want_lookup(struct supervisor *s, uint32_t conn);

/* What went wrong before the contact was fetched again. */
const char *connect_first_reason(const struct conn *conn);

#endif
