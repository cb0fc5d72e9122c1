#ifndef GS_PASS_H
#define GS_PASS_H

/* A packet with a descriptor, over a SOCK_SEQPACKET socket: SCM_RIGHTS, unix(7). */

#include <stddef.h>

/* Send len bytes, and fd with them unless it is -1. 0 or -errno. */
int pass_send(int socket, const void *data, size_t len, int fd);

/* Receive one packet of at most len bytes: its length, or -errno (0: the end). *fd: the descriptor
 * that came along, close-on-exec, to be closed by the caller; -1: none. */
int pass_receive(int socket, void *data, size_t len, int *fd);

/* The same, but the packet stays: it comes again until it is dropped, the descriptor in a fresh
 * duplicate each time. */
int pass_peek(int socket, void *data, size_t len, int *fd);
void pass_drop(int socket);

#endif
