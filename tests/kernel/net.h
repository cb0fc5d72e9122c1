#ifndef GS_TEST_NET_H
#define GS_TEST_NET_H

/* TCP on this machine's loopback, IPv4 unless it says otherwise. */

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* A socket. flags: SOCK_NONBLOCK or 0. */
int tcp_socket(int flags);

/* A listening socket and its address. */
int tcp_listener(struct sockaddr_in *address);

/* A listening socket whose queue is full, so that who connects stays in SYN_SENT until somebody
 * accepts. */
int full_listener(struct sockaddr_in *address);

/* connect(): 0 or an errno. */
int tcp_connect(int fd, const struct sockaddr_in *to);

/* connect() as nobody blocks: with no data, MSG_FASTOPEN and MSG_DONTWAIT. 0 or an errno. */
int tcp_connect_by_send(int fd, const struct sockaddr_in *to);

/* accept(): the descriptor; anything else is wrong. */
int tcp_accept(int listener);

/* Both ends of a connection. */
void tcp_pair(int *connected, int *accepted);

/* TCP_ESTABLISHED, … of <netinet/tcp.h> */
int tcp_state(int fd);

/* Read and clear SO_ERROR. */
int so_error(int fd);

/* What poll() says at once of reading and writing. */
short ready_for(int fd);

/* Wait until poll() says one of these events. */
short wait_for(int fd, short events);

/* A network namespace of our own where we have all rights, or skip. */
void own_network(void);

#endif
