#ifndef GS_TARGET_H
#define GS_TARGET_H

/*
 * The program that made a call: its memory and its descriptors. pidfd_open(2), pidfd_getfd(2),
 * process_vm_readv(2). notif.pid names a thread, which may be gone or be another one by now: what
 * was read counts only if notify_valid() says so afterwards.
 */

#include "supervisor/base/state.h"
#include "supervisor/kernel/hand.h"

/* Read or write len bytes of the caller's memory. 0; -EFAULT: not all of it is there; -ESRCH: gone;
 * -EPERM: it cannot be inspected. */
int target_read(struct state *state, const struct call *call, uint64_t address, void *data,
		uint32_t len);
int target_write(struct state *state, const struct call *call, uint64_t address, const void *data,
		 uint32_t len);

/* Two pieces at once. What is written is the program's that made the call, and only where it may
 * write itself (memory.h): -ENOENT: the call is over; -ETIMEDOUT: its memory keeps us waiting. */
int target_write_two(struct state *state, const struct call *call, struct hand_piece first,
		     struct hand_piece second);

/* A duplicate of the caller's socket, to be given back soon (chore_release(), cleanup_socket): a
 * descriptor or -errno (-EBADF: none of that number; -ENOTSOCK: no socket; -ESRCH gone; -EPERM
 * cannot be inspected; -ENOTSUP: this kernel opens no pidfds of threads and the thread has a
 * descriptor table of its own). */
int target_descriptor(struct state *state, const struct call *call, int number);

/* The same, and what it is known by; where there is a descriptor. */
struct identity {
	uint64_t cookie;
	uint32_t uid; /* who has made it */
};
int target_socket(struct state *state, const struct call *call, int number,
		  struct identity *identity);

/* The same for a thread that is not in a call; it may have ended. */
int target_descriptor_of(struct state *state, uint32_t program, int tid, int number);

/* Does number of that thread's process still name the socket with this cookie? Errors count as no.
 */
bool target_has_socket(struct state *state, uint32_t program, int tid, int number, uint64_t cookie);

/* The number under which the thread's table has the socket that we have as fd, or -errno. */
int target_find_socket(struct state *state, int tid, int fd);

/* May that thread tell us what to do? 0: it is our user's; else -EPERM or -ESRCH. */
int target_owner(struct state *state, int tid);

/* The process of a thread; -ESRCH: gone; -ETIMEDOUT: the keeper does not answer. */
int target_group(struct state *state, int tid);

/* The same, and the file that it executes; zeros: not known. */
int target_caller(struct state *state, int tid, struct executable *executable);

/* A pidfd of that process, which is readable once it has ended and let go of its descriptors; or
 * -errno (-ESRCH: gone). */
int target_pidfd(int process);

/* Is it in the network namespace of this supervisor? Errors count as no. */
bool target_is_in_our_network(struct state *state, int tid);

/* The process that it has come of, errors as above. */
int target_parent(struct state *state, int tid);

/* The name of a thread's program, for a line of the log; "?": not known. */
#define TARGET_COMM 16
void target_comm(struct state *state, int tid, char name[TARGET_COMM]);

/* Can pidfds of threads be opened? (Linux 6.9) */
bool target_probe_pidfd_thread(void);

/* The descriptors that this module keeps: owned[fd] is set for each below max. */
void target_own(bool *owned, int max);

/* SO_COOKIE of a socket; 0: not a socket. */
uint64_t socket_cookie(int fd);

#endif
