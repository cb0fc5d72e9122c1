#ifndef GW_OFFLOAD_H
#define GW_OFFLOAD_H

/* Work that can block (the disk, the resolver), done on a thread of its own beside the loop. */

#include "contrib/gateway/base/loop.h"

/* work() runs on the thread and may touch the job alone; done() runs on the loop afterwards and may
 * free the job. The job belongs to the offload from start to done(). */
struct job {
	void (*work)(struct job *job);
	void (*done)(struct job *job);
	struct job *next;
};

struct offload;

/* NULL with errno set. */
struct offload *offload_create(struct loop *loop);

/* Frees it; when jobs are still running, leaves it to them, for the program is about to end. */
void offload_destroy(struct offload *offload);

/* 0 or -errno: no thread could be made, done() will not be called. */
int offload_start(struct offload *offload, struct job *job);

/* Wait until this job, started and not done, has been done, done() included. */
void offload_wait(struct offload *offload, struct job *job);

#endif
