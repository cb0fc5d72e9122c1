#ifndef GS_PROC_H
#define GS_PROC_H

/* What has to be read from files: the keeper does it, or its hand (hand.h), which may be a thread
 * of it: nothing here asks for memory. */

#include <stdbool.h>

#include "supervisor/base/state.h"

/* The process of a thread, or -ESRCH. */
int proc_group(int tid);

/* The same, and the file that it executes (zeros: not known): the size of *caller, or -ESRCH. */
struct proc_caller {
	int group;
	struct executable executable;
};
int proc_caller(int tid, struct proc_caller *caller);

/* The process that a thread's process has come of, or -ESRCH. */
int proc_parent(int tid);

/* The same as the first, if the thread shares the descriptor table of its process; else -ENOTSUP.
 */
int proc_table_group(int tid);

/* Is the thread's process one of those that the program was told addresses in, or does it descend
 * from one? 1: yes, or it cannot be known; 0: no. */
int proc_told(const struct state *state, int tid, uint32_t program);

/* Whose is it? 0: all its user ids are ours, and so is its user namespace, and, if we are root, its
 * mount namespace; else -EPERM or -ESRCH. */
int proc_owner(int tid);

/* The number under which the thread's table has the socket that we have as fd, or -ENOENT. */
int proc_find_socket(int tid, int fd);

/* The socket's inode as "socket:[…]" in a link of /proc; false: the link says something else. */
bool proc_socket_inode(const char *link, uint64_t *inode);

/* The name of a program: its length, or -errno. name has room for PROC_COMM bytes. */
#define PROC_COMM 16
int proc_comm(int tid, char name[PROC_COMM]);

/* Has that process our descriptor table? Where the kernel cannot say (kcmp(2)): no. */
bool proc_same_table(int pid);

/* The state letter of a process or thread, proc(5): R, S, D, T, t, Z; 0: not known. */
char proc_state(int tid);

/* Is the thread in our network namespace? 1: yes; 0: no; or -errno. */
int proc_network(int tid);

/* The user id by which a thread's files are opened, or -ESRCH. */
int proc_uid(int tid);

/* Yama's ptrace_scope; 0 where there is no Yama. */
int proc_ptrace_scope(void);

#endif
