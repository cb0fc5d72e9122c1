#ifndef GS_SUPERVISOR_CONTROL_H
#define GS_SUPERVISOR_CONTROL_H

/* The supervisor's side of its control socket: launches attach, and ask how it is. */

#include "supervisor/calls/core.h"

/* Somebody connects to the control socket. */
void control_accept(struct supervisor *s);

/* A message, or the end, on a connection: its index among the clients. */
void control_event(struct supervisor *s, uint32_t client);

/* The keeper may have tried an upgrade: tell who asked for it. */
void control_upgraded(struct supervisor *s);

/* For a supervisor that takes over: watch the socket and its connections again. */
void control_recover(struct supervisor *s);

/* A new binary is wanted in the place of the keeper (upgrade.h), by a client or, NONE, by a signal.
 * 0, or -errno where it cannot be: -EALREADY: one is on its way; -EOPNOTSUPP: the state lies where
 * nobody else can map it. */
int control_want_upgrade(struct state *state, uint32_t client, uint16_t serial);

#endif
