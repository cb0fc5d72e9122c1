#ifndef GS_PROC_H
#define GS_PROC_H

/* What has to be read from files: the keeper does it, by the supervisor's leave (hand.h). */

#include "supervisor/state.h"

/* The process of a thread, or -ESRCH. */
int proc_group(int tid);

/* The same, if the thread shares the descriptor table of its process; else -ENOTSUP. */
int proc_table_group(int tid);

/* Whose is it? 0: all its user ids are ours; else -EPERM or -ESRCH. */
int proc_owner(int tid);

/* The user whose rights the thread opens files with; -1: it is gone. */
uid_t proc_user(int tid);

/* The number under which the thread's table has the socket that we have as fd, or -ENOENT. */
int proc_find_socket(int tid, int fd);

/* A process that has that socket, neither this one nor the one named, or -ENOENT. The search
 * through all that there are ends after a fiftieth of a second. */
int proc_find_holder(int except, int fd);

/* The name of a program: its length, or -errno. name has room for PROC_COMM bytes. */
#define PROC_COMM 16
int proc_comm(int tid, char name[PROC_COMM]);

#endif
