#ifndef GS_BLIND_H
#define GS_BLIND_H

/* Programs that cannot or must not be inspected: the address and the socket of their calls cannot
 * be seen. A process that was never given one of our addresses, and does not descend from one that
 * was, cannot mean a tunnel, and its calls are left to the kernel; those of others are refused,
 * except those that cannot lead to an internet address. */

#include "supervisor/calls/core.h"

/* The process of this call is about to get one of our addresses: by an answer to its shim, or by a
 * copy of a hosts file. Before it has it. */
void blind_tell(struct supervisor *s, const struct call *call);

/* May the process of this call know one of our addresses? error: why it cannot be inspected
 * (target.h). */
bool blind_is_told(struct supervisor *s, const struct call *call, int error);

/* May this connect() or sendto(), whose address of len bytes could not be read, be meant for a
 * tunnel? */
bool blind_may_mean_tunnel(struct supervisor *s, const struct call *call, uint64_t len, int error);

/* Answer a connect() or sendto() whose address, of len bytes, could not be read; error: why. */
void blind_answer(struct supervisor *s, uint32_t call, uint64_t len, int error);

/* Answer a call that could be meant for a tunnel and is not known well enough: with ECONNREFUSED
 * and a line. */
void blind_refuse(struct supervisor *s, uint32_t call, int error);

/* The end of a line about such a process, what the user can do: "; start …", or "". */
const char *blind_advice(int error);

/* May an address of that length be an internet one? */
bool blind_may_be_internet(uint64_t len);

#endif
