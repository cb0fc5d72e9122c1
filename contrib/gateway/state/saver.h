#ifndef GW_SAVER_H
#define GW_SAVER_H

/*
 * Writes the store to its file without holding up the loop: a snapshot is taken on the loop and
 * written on a thread. While one is being written, changes gather for the next, so that any number
 * of requests at once cost two writes at most.
 */

#include "contrib/gateway/base/offload.h"
#include "contrib/gateway/base/state_dir.h"
#include "contrib/gateway/state/store.h"

#define STATE_FILE "state.json"

/* Someone who waits until what the store holds now is on the disk. Embedded; saved() is called
 * once, on the loop, with 0 or -errno. */
struct save_waiter {
	void (*saved)(struct save_waiter *waiter, int error);
	struct save_waiter *next;
};

struct saver;

struct saver *saver_create(struct offload *offload, struct store *store,
			   const struct state_dir *dir);
void saver_destroy(struct saver *saver);

/* Save, and tell the waiter. A store that has not changed since is on the disk once what is being
 * written is. */
void saver_save(struct saver *saver, struct save_waiter *waiter);

/* Wait for what is being written, then write what has changed since: 0 or -errno. Everybody who
 * waited has been told when it returns. */
int saver_flush(struct saver *saver);

#endif
