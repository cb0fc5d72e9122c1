#ifndef GS_CONNECT_H
#define GS_CONNECT_H

/* Between the calls (connect_call.c) and the connections that they wait for (connect.c). */

#include "supervisor/supervisor.h"

#define HOLD_NONBLOCKING (20 * MILLISECOND) /* a non-blocking connect(), at most */
#define HOLD_LOOP        (2 * SECOND)       /* how long an event loop may be held */

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
