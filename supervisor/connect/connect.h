#ifndef GS_CONNECT_H
#define GS_CONNECT_H

/* connect(), sendto() and getsockopt(SO_ERROR). The calls (connect_call.c, send.c) wait for
 * connections that are being made (connect.c), which end in connect_end.c. */

#include "supervisor/calls/core.h"

#define HOLD_NONBLOCKING (20 * MILLISECOND) /* a non-blocking connect(), at most */
#define HOLD_LOOP        (2 * SECOND)       /* how long an event loop may be held */

/* Answer the call, or hold it. */
void connect_call(struct supervisor *s, uint32_t call);
void so_error_call(struct supervisor *s, uint32_t call);
enum send_kind { SEND_TO, SEND_MESSAGE, SEND_MESSAGES };
void send_call(struct supervisor *s, uint32_t call, enum send_kind kind);

/* Their events. */
void connect_event(struct supervisor *s, uint32_t conn);
void connect_deadline(struct supervisor *s, uint32_t conn);
void connect_call_deadline(struct supervisor *s, uint32_t call);
void connect_lookup_over(struct supervisor *s, uint32_t lookup);
void connect_look(struct supervisor *s, uint32_t conn);
void connect_searched(struct supervisor *s, uint32_t conn);
bool connect_sweep(struct supervisor *s, uint32_t conn); /* true: to be looked after later */

/* For a supervisor that takes over: a conn that is known to be whole goes back to its place; then
 * it goes on. */
void connect_recover_conn(struct supervisor *s, uint32_t conn);
void connect_resume(struct supervisor *s, uint32_t conn);

/* --- between the calls and their connections --- */

/* The call, which has made this conn, waits for it; and the conn is begun. */
void connect_begin(struct supervisor *s, uint32_t call, uint32_t conn);

/* The call waits for the conn too. */
void connect_hold(struct supervisor *s, uint32_t call, enum call_kind kind, uint32_t conn);

/* TCP may be up, or have failed: look, and go on. The conn may be gone afterwards. */
void connect_tcp_event(struct supervisor *s, uint32_t conn);

/* Connect to the contact that is known. The conn may be gone afterwards. */
void connect_start_tcp(struct supervisor *s, uint32_t conn);

/* The program is about to be told EINPROGRESS. */
void connect_tell(struct supervisor *s, uint32_t conn);

/* Monotonic ns. */
void connect_set_deadline(struct supervisor *s, uint32_t conn, uint64_t deadline);

#endif
