#ifndef GS_TEST_WATCH_H
#define GS_TEST_WATCH_H

/* Processes that carry a filter, and what their listener descriptor is told: seccomp_unotify(2). */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/kernel/kernel.h"

struct watched {
	pid_t pid;
	int notify; /* the listener descriptor */
};

/* Install a filter that notifies of one call, with these extra flags, or any filter. The listener
 * descriptor or -errno. */
int listen_to(int call, unsigned flags);
int install(const struct sock_fprog *program, unsigned flags);

/* Run body(arg) in a child whose uses of this call are notified. */
struct watched watch(int call, body_function *body, void *arg);

/* Wait for a notification and receive it. */
struct seccomp_notif take(int notify);

/* The same without waiting for it: 0 or an errno. */
int receive(int notify, struct seccomp_notif *notif);

/* Answer; what SEND says: 0 or an errno. pass() lets the kernel run the call. */
int give(int notify, uint64_t id, int64_t value, int error);
int pass(int notify, uint64_t id);

bool is_valid(int notify, uint64_t id);

/* Add fd to the caller's table: its number there, or -errno. */
int add_fd(int notify, uint64_t id, int fd, unsigned flags);

/* The call that did nothing: its body is one getppid(), whose result goes into *(long *)arg, or
 * minus its errno. */
int call_getppid(void *arg);

/* A duplicate of a process's descriptor by pidfd_open and pidfd_getfd, or -errno. */
int duplicate(pid_t pid, int number);

/* Read a word of another process's memory: process_vm_readv(2). 0 or an errno. */
int read_word(pid_t pid, const void *address, long *word);

/* Pass a descriptor over a socket. */
void send_fd(int socket, int fd);
int receive_fd(int socket);

#endif
