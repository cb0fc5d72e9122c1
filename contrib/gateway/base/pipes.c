#include "contrib/gateway/base/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define KEPT      64 /* empty pipes kept for the next */
#define LARGE     (1024 * 1024)
#define LARGE_MAX 24 /* an ordinary user may have 64 MiB of pipes in all (pipe-user-pages-soft) */

struct pipes {
	struct pipe_pair *empty;
	size_t count, made;
};

struct pipes *pipes_create(void)
{
	return calloc(1, sizeof(struct pipes));
}

static void close_pair(struct pipes *pipes, struct pipe_pair *pair)
{
	close(pair->out);
	close(pair->in);
	free(pair);
	pipes->made--;
}

void pipes_destroy(struct pipes *pipes)
{
	if (!pipes)
		return;
	while (pipes->empty) {
		struct pipe_pair *pair = pipes->empty;

		pipes->empty = pair->next;
		close_pair(pipes, pair);
	}
	free(pipes);
}

struct pipe_pair *pipes_take(struct pipes *pipes)
{
	struct pipe_pair *pair = pipes->empty;
	int fds[2];

	if (pair) {
		pipes->empty = pair->next;
		pipes->count--;
		return pair;
	}
	pair = malloc(sizeof(*pair));
	if (!pair)
		return NULL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(pair);
		return NULL;
	}
	*pair = (struct pipe_pair){.out = fds[0], .in = fds[1]};
	if (pipes->made++ < LARGE_MAX) /* the first ones made are the ones in use most */
		fcntl(pair->in, F_SETPIPE_SZ, LARGE);
	return pair;
}

void pipes_give(struct pipes *pipes, struct pipe_pair *pair, int empty)
{
	if (!empty || pipes->count >= KEPT) {
		close_pair(pipes, pair);
		return;
	}
	pair->next = pipes->empty;
	pipes->empty = pair;
	pipes->count++;
}
