#include "contrib/gateway/base/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "contrib/gateway/base/cleanup.h"

#define STACK_SIZE (1024 * 1024) /* the resolver needs some */

struct offload {
	struct loop *loop;
	struct watch bell;
	int bell_fd;
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t finished_one;
	struct job *finished;
	size_t running;
};

struct assignment {
	struct offload *offload;
	struct job *job;
};

static void *run(void *argument)
{
	cleanup_free struct assignment *assignment = argument;
	struct offload *offload = assignment->offload;
	struct job *job = assignment->job;

	job->work(job);
	pthread_mutex_lock(&offload->lock);
	job->next = offload->finished;
	offload->finished = job;
	offload->running--;
	eventfd_write(offload->bell_fd, 1);
	pthread_cond_broadcast(&offload->finished_one);
	pthread_mutex_unlock(&offload->lock);
	return NULL;
}

static struct job *take_finished(struct offload *offload)
{
	struct job *job;

	pthread_mutex_lock(&offload->lock);
	job = offload->finished;
	offload->finished = NULL;
	pthread_mutex_unlock(&offload->lock);
	return job;
}

static void finish_jobs(struct offload *offload)
{
	struct job *job, *next;

	for (job = take_finished(offload); job; job = next) {
		next = job->next;
		job->done(job);
	}
}

static void on_bell(struct watch *watch, uint32_t events)
{
	struct offload *offload = container_of(watch, struct offload, bell);
	eventfd_t count;

	eventfd_read(offload->bell_fd, &count);
	finish_jobs(offload);
}

struct offload *offload_create(struct loop *loop)
{
	struct offload *offload = calloc(1, sizeof(*offload));
	int error;

	if (!offload)
		return NULL;
	offload->loop = loop;
	offload->bell = (struct watch){.ready = on_bell, .fd = -1};
	offload->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = offload->bell_fd < 0 ? -errno : 0;
	if (!error)
		error = loop_watch(loop, &offload->bell, offload->bell_fd, EPOLLIN);
	if (error) {
		fd_cleanup(&offload->bell_fd);
		free(offload);
		errno = -error;
		return NULL;
	}
	pthread_mutex_init(&offload->lock, NULL);
	pthread_cond_init(&offload->finished_one, NULL);
	return offload;
}

void offload_destroy(struct offload *offload)
{
	size_t running;

	if (!offload)
		return;
	loop_forget(offload->loop, &offload->bell);
	pthread_mutex_lock(&offload->lock);
	running = offload->running;
	pthread_mutex_unlock(&offload->lock);
	finish_jobs(offload);
	if (running)
		return;
	close(offload->bell_fd);
	pthread_mutex_destroy(&offload->lock);
	pthread_cond_destroy(&offload->finished_one);
	free(offload);
}

static int make_thread(struct assignment *assignment)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	error = pthread_create(&thread, &attributes, run, assignment);
	pthread_attr_destroy(&attributes);
	return -error;
}

int offload_start(struct offload *offload, struct job *job)
{
	struct assignment *assignment = malloc(sizeof(*assignment));
	int error;

	if (!assignment)
		return -ENOMEM;
	*assignment = (struct assignment){.offload = offload, .job = job};
	pthread_mutex_lock(&offload->lock);
	offload->running++;
	pthread_mutex_unlock(&offload->lock);
	error = make_thread(assignment);
	if (error) {
		free(assignment);
		pthread_mutex_lock(&offload->lock);
		offload->running--;
		pthread_mutex_unlock(&offload->lock);
	}
	return error;
}

/* Take one job off the finished ones, waiting for it. */
static void wait_finished(struct offload *offload, struct job *job)
{
	struct job **at;

	pthread_mutex_lock(&offload->lock);
	for (;;) {
		for (at = &offload->finished; *at && *at != job; at = &(*at)->next)
			;
		if (*at)
			break;
		pthread_cond_wait(&offload->finished_one, &offload->lock);
	}
	*at = job->next;
	pthread_mutex_unlock(&offload->lock);
}

void offload_wait(struct offload *offload, struct job *job)
{
	wait_finished(offload, job);
	job->done(job);
}
