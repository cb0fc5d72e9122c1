#ifndef GS_SUPERVISOR_CONTROL_H
#define GS_SUPERVISOR_CONTROL_H

/* The supervisor's side of its control socket: launches attach, and ask how it is. */

#include "supervisor/supervisor.h"

/* Somebody connects to the control socket. */
void control_accept(struct supervisor *s);

/* A message, or the end, on a connection: its index among the clients. */
void control_event(struct supervisor *s, uint32_t client);

/* The keeper may have tried an upgrade: tell who asked for it. */
void control_upgraded(struct supervisor *s);

/* For a supervisor that takes over: watch the socket and its connections again. */
void control_recover(struct supervisor *s);

#endif
