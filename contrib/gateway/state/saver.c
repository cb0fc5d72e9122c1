#include "contrib/gateway/state/saver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/base/cleanup.h"
#include "contrib/gateway/base/log.h"
#include "contrib/gateway/state/store_json.h"

struct saver {
	struct offload *offload;
	struct store *store;
	const struct state_dir *dir;
	struct job job;
	bool writing;
	char *text; /* the snapshot that is being written */
	int result;
	struct save_waiter *of_this, *of_next; /* wait for this write, for the next one */
};

static void write_snapshot(struct job *job)
{
	struct saver *saver = container_of(job, struct saver, job);

	saver->result = saver->text ? state_dir_write(saver->dir, STATE_FILE, saver->text,
						      strlen(saver->text))
				    : -ENOMEM;
}

static void tell(struct save_waiter *waiter, int error)
{
	struct save_waiter *next;

	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->saved(waiter, error);
	}
}

static void begin(struct saver *saver)
{
	int error;

	saver->text = store_format(saver->store);
	saver->store->changed = false;
	saver->of_this = steal_pointer(saver->of_next);
	saver->writing = true;
	error = offload_start(saver->offload, &saver->job);
	if (error) { /* no thread to be had: better late than not at all */
		log_warn("no thread to write the state, it is written without one: %s",
			 strerror(-error));
		write_snapshot(&saver->job);
		saver->job.done(&saver->job);
	}
}

static void end(struct job *job)
{
	struct saver *saver = container_of(job, struct saver, job);
	struct save_waiter *told = steal_pointer(saver->of_this);

	store_free_text(saver->text);
	saver->text = NULL;
	saver->writing = false;
	if (saver->result < 0) {
		saver->store->changed = true;
		log_warn("cannot write %s/%s: %s", saver->dir->path, STATE_FILE,
			 strerror(-saver->result));
	}
	tell(told, saver->result);
	if (saver->of_next && !saver->writing)
		begin(saver);
}

struct saver *saver_create(struct offload *offload, struct store *store,
			   const struct state_dir *dir)
{
	struct saver *saver = calloc(1, sizeof(*saver));

	if (!saver)
		return NULL;
	saver->offload = offload;
	saver->store = store;
	saver->dir = dir;
	saver->job = (struct job){.work = write_snapshot, .done = end};
	return saver;
}

void saver_destroy(struct saver *saver)
{
	free(saver);
}

void saver_save(struct saver *saver, struct save_waiter *waiter)
{
	struct save_waiter **list = &saver->of_next;

	if (saver->writing && !saver->store->changed)
		list = &saver->of_this;
	waiter->next = *list;
	*list = waiter;
	if (!saver->writing)
		begin(saver);
}

int saver_flush(struct saver *saver)
{
	while (saver->writing)
		offload_wait(saver->offload, &saver->job);
	if (!saver->store->changed)
		return 0;
	saver->text = store_format(saver->store);
	saver->store->changed = false;
	write_snapshot(&saver->job);
	end(&saver->job);
	return saver->result;
}
