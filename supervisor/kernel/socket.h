#ifndef GS_SOCKET_H
#define GS_SOCKET_H

/*
 * What is done to a duplicate of an application's socket. It shares the open file with the
 * application: flags and options are the application's and stay as they are, and nothing here
 * blocks for more than a moment, though the socket may be a blocking one.
 */

#include "supervisor/base/state.h"

/* Catch the signal that ends a call which would block. Once, at start. */
void socket_init(void);

/* Interrupt whatever blocks after so many µs, again and again, until it is turned off (0). */
void socket_interrupting(suseconds_t us);

/* SO_DOMAIN; 0: not a socket. */
int socket_family(int fd);

/* Whose it is: the user id of who made it; UNKNOWN_UID: not known. */
uint32_t socket_owner(int fd);

/* Its number as /proc has it; 0: not known. */
uint64_t socket_inode(int fd);

/* A TCP or MPTCP socket? */
bool socket_is_tcp(int fd);

/* MPTCP? */
bool socket_is_multipath(int fd);

/* O_NONBLOCK */
bool socket_is_nonblocking(int fd);

bool socket_is_listening(int fd);

/* TCP_ESTABLISHED, TCP_CLOSE, … of <netinet/tcp.h>; 0: not known. */
int socket_tcp_state(int fd);

/* Is that the state of a connection whose peer has sent FIN? */
bool socket_fin_came(int tcp_state);

/* SO_RCVTIMEO or SO_SNDTIMEO in ns; 0: none. */
uint64_t socket_timeout(int fd, int option);

/* SO_NETNS_COOKIE; 0: not known. */
uint64_t socket_netns(int fd);

/* SO_BINDTOIFINDEX and SO_REUSEPORT. */
int socket_device(int fd);
bool socket_reuses_port(int fd);

/* One step of a connect: 0 connected, told the first time; -EISCONN, from then on; -EINPROGRESS or
 * -EALREADY under way; else why not. As in connect(2), an error is told once, and is gone then. */
int socket_connect(int fd, const union address *to);

/* What connect() says on a socket that is not fresh, whatever the address; -EAFNOSUPPORT: it is
 * fresh. Nobody is called. */
int socket_ask_connect(int fd);

/* Drop the connection; the socket can be used for another (connect(2), AF_UNSPEC). It keeps
 * ECONNRESET for its owner. */
void socket_disconnect(int fd);

/* Read and clear the pending error, which the program has been told by other means. */
int socket_take_error(int fd);

/* Let an IPv6 socket that is for IPv6 only reach an IPv4 contact, where it is not bound yet. */
void socket_allow_ipv4(int fd);

/* Is a connection in the listening socket's queue? */
bool socket_has_connection(int fd);

/* How many are there? */
uint32_t socket_queued(int fd);

/* A connection out of that queue, which has just been seen to hold one: a descriptor
 * (close-on-exec) and its peer; -EAGAIN: none is there; -EINTR: none was, and the call blocked for
 * 2 ms, since somebody else took it and O_NONBLOCK is not set, or no longer is. */
int socket_accept(int fd, union address *peer);

/* Options of the program's that would hold up the handshake's frames, SO_RCVLOWAT and TCP_CORK, or
 * put them into its error queue, SO_TIMESTAMPING: out
 * of the way, and back, once. conn remembers them. Where the program has been told EINPROGRESS, its
 * socket is hushed until then. */
void socket_begin_handshake(struct conn *conn);
void socket_end_handshake(struct conn *conn);

/* SO_LINGER, which a connection has from its listening socket: what it is; and another. Where it is
 * on, close() waits for the peer, whoever that is, also on a socket that does not block. */
struct linger socket_linger(int fd);
void socket_set_linger(int fd, struct linger linger);

/* Close it, and wait no longer than a moment where it lingers and ours is the last descriptor. */
void socket_close(int fd);

/* Let what comes wake nobody who polls this socket, us neither: a large SO_RCVLOWAT. */
void socket_hush(struct conn *conn);

/* Drop all that was received, and what may still come: not a byte is left for whoever gets it. */
void socket_empty(int fd);

/* Are there bytes to be read? */
bool socket_has_bytes(int fd);

/* Of a socket that is bound to a device: an address of it at which the socket can be called,
 * with the port of *address. 0, or -ENODEV: it is not, or there is none. */
int socket_device_address(int fd, union address *address);

/* getsockname and getpeername, canonical: 0 or -errno. family: the socket's own, or NULL. */
int socket_name(int fd, union address *name, int *family);
int socket_peer(int fd, union address *peer);

#endif
