#ifndef GS_LAN_H
#define GS_LAN_H

/* The LAN handshake on a conn's socket, as far as it goes without waiting. */

#include "supervisor/base/state.h"

/* Begin as the caller (the conn's tunnel is known) or as the answerer (found by HELLO's key id). 0,
 * or -errno where there is no randomness. */
int lan_begin_caller(const struct state *state, struct conn *conn);
int lan_begin_answerer(struct conn *conn);

/* Have libcrypto do once what it does at its first use, which takes a millisecond. */
void lan_warm_up(void);

/* Go on. 0: authenticated; -EAGAIN: *events (epoll's) are waited for; another -errno: it failed,
 * *why (static) says in a few words how. */
int lan_drive(const struct state *state, struct conn *conn, uint32_t *events, const char **why);

/* For one who takes over: find out from the socket how far the frames have got. 0, or -EPROTO:
 * other bytes than the handshake's have moved. */
int lan_resume(struct conn *conn);

/* Have the far end's listener been called perhaps? Then the handshake must not be started over. */
bool lan_committed(const struct conn *conn);

/* Did only the handshake send and receive on this socket so far? TCP_INFO and the queues tell. */
bool lan_alone(const struct conn *conn);

/* Did somebody else send or receive? Not where it cannot be told. */
bool lan_intruded(const struct conn *conn);

/* How far a caller's handshake had come that nobody knows any more, by the socket's counters. */
enum lan_past {
	LAN_UNCALLED, /* no RESPONSE was sent: the far listener was not called */
	LAN_CALLED,   /* it may have been */
	LAN_WHOLE,    /* the handshake, and nothing else */
	LAN_USED,     /* the program has sent or received since */
};
enum lan_past lan_past(int fd);

#endif
