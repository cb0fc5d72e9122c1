#ifndef GS_DISPATCH_H
#define GS_DISPATCH_H

/* Which call goes where, and the calls that take one step: one file each. */

#include "supervisor/calls/core.h"

/* Receive what a program's filter hands over from now on; one of that; its last process has ended.
 */
void supervisor_watch_program(struct supervisor *s, uint32_t program);
void supervisor_receive(struct supervisor *s, uint32_t program);
void supervisor_program_ended(struct supervisor *s, uint32_t program);

/* Answer the call, or hold it. */
void supervisor_dispatch(struct supervisor *s, uint32_t call);
void connect_or_question(struct supervisor *s,
			 uint32_t call); /* connect(), which the shim asks by */
void bind_call(struct supervisor *s, uint32_t call);
void listen_call(struct supervisor *s, uint32_t call);
void steer_call(struct supervisor *s, uint32_t call); /* setsockopt() */
void open_call(struct supervisor *s, uint32_t call);
void question_call(struct supervisor *s, uint32_t call);
void question_answer(struct supervisor *s, uint32_t call); /* the shim's; args[1] is where */
void trial_call(struct supervisor *s, uint32_t call);      /* needs.h */
void socketcall_call(struct supervisor *s, uint32_t call);

/* bind.c: programs that listen on no tunnel's port. */
bool bind_sweep(struct supervisor *s);

/* open.c: copies are made; one was not made in time; whose calls are gone, are left; a chore has
 * put one there, or has not; for a supervisor that takes over. */
void open_wake(struct supervisor *s);
void open_deadline(struct supervisor *s, uint32_t call);
void open_sweep(struct supervisor *s);
void open_injected(struct supervisor *s, const struct chore *chore);
void open_recover(struct supervisor *s);

/* sweep.c: a part of it; all of it at once, where that was not done a moment ago. */
void sweep_event(struct supervisor *s);
void supervisor_sweep(struct supervisor *s);

/* beside.c: a search is due, or a part of what it found; chores are done; a supervisor that did not
 * end has. */
void beside_search_event(struct supervisor *s);
void beside_chores_event(struct supervisor *s);
void beside_lost_event(struct supervisor *s);

/* recover.c: go on where the supervisor before this one stopped, at this call or NONE; close
 * descriptors that nobody owns, at a moment when no function holds one. */
void recover(struct supervisor *s, uint32_t last);
void recover_descriptors(struct supervisor *s);

#endif
