#include "supervisor/base/state.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/limit.h"
#include "supervisor/base/work.h"
#include "supervisor/layout.h" /* of the headers that say what a state is */

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 8U
#endif

const char *state_layout(void)
{
	static char text[LAYOUT_TEXT];
	snprintf(text, sizeof(text), "%llx-%zx", STATE_LAYOUT, sizeof(struct state));
	return text;
}

/* A file of that size that only descriptors lead to, or -1: where files may not be as large, a
 * state is not worth a SIGXFSZ. */
static int make_memory(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < sizeof(struct state))
		return -1;
	int fd = memfd_create("state", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0)
		fd = memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && ftruncate(fd, sizeof(struct state)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Pages come into being as they are used: an idle state is small whatever the limits are. */
static struct state *map(int memory)
{
	int flags = memory < 0 ? MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE
			       : MAP_SHARED | MAP_NORESERVE;
	struct state *state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, flags, memory, 0);
	if (state == MAP_FAILED)
		return NULL;
	/* What is hot, and the secrets, as pages come into being. Best effort: the limit for locked
	 * memory may be small. */
	mlock2(state, offsetof(struct state, name_at), MLOCK_ONFAULT);
	mlock2(state->tunnels, sizeof(state->tunnels), MLOCK_ONFAULT);
	return state;
}

struct state *state_adopt(int memory)
{
	struct stat stat;
	if (fstat(memory, &stat) < 0 || stat.st_size != sizeof(struct state))
		return NULL;
	struct state *state = map(memory);
	if (!state || strncmp(state->layout, state_layout(), sizeof(state->layout)) == 0)
		return state;
	munmap(state, sizeof(*state));
	return NULL;
}

static void find_self(struct state *state)
{
	char *self = state->keeping.self;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(state->keeping.self));
	if (len < 0 || len == sizeof(state->keeping.self))
		len = 0;
	self[len] = '\0';
}

struct state *state_create(void)
{
	int memory = make_memory();
	struct state *state = map(memory);
	if (!state) {
		if (memory >= 0)
			close(memory);
		return NULL;
	}
	strcpy(state->layout, state_layout());
	state->memory = memory;
	limit_init(&state->limits);
	state->log.level = LOG_DEBUG;
	state->keeping = (struct keeping){.memory = memory,
					  .signals = -1,
					  .watchdog = -1,
					  .warn_fd = -1,
					  .debug_fd = -1,
					  .report_fd = -1,
					  .notify_fd = -1};
	find_self(state);
	state->upgrade.client = NONE;
	state->control_fd = state->channel_fd = state->supervisor_wakes = state->keeper_wakes =
		state->supervisor_pidfd = state->directory = state->watch_info = -1;
	state->program_pool.free = state->call_pool.free = NONE;
	state->conn_pool.free = state->listener_pool.free = state->share_pool.free = NONE;
	conns_clear(&state->strangers[0]);
	conns_clear(&state->strangers[1]);
	state->receiving = state->accepting = state->working = state->refused = NONE;
	state->ticks = -1;
	state->work.item = work_of_nobody();
	for (size_t i = 0; i < MAX_LOST; i++)
		state->lost[i].fd = -1;
	for (size_t i = 0; i < MAX_CHORES; i++)
		state->chores[i].fd = -1;
	memset(state->kept, 0xff, sizeof(state->kept));       /* -1 */
	memset(state->clients, 0xff, sizeof(state->clients)); /* -1 */
	/* NONE */
	memset(state->buckets, 0xff, sizeof(state->buckets));
	memset(state->listener_buckets, 0xff, sizeof(state->listener_buckets));
	memset(state->share_buckets, 0xff, sizeof(state->share_buckets));
	return state;
}

void state_destroy(struct state *state)
{
	int memory = state->memory;
	munmap(state, sizeof(*state));
	if (memory >= 0)
		close(memory);
}

/* Objects of every pool begin with a slot; size is theirs, in bytes. */
static struct slot *slot_at(void *objects, size_t size, uint32_t index)
{
	return (void *)((char *)objects + size * index);
}

static uint32_t take(struct pool *pool, void *objects, size_t size, uint32_t max)
{
	uint32_t index = pool->free;
	if (index == NONE && pool->top == max)
		return NONE;
	if (index == NONE)
		index = pool->top++;
	else
		pool->free = slot_at(objects, size, index)->next_free;
	struct slot *slot = slot_at(objects, size, index);
	uint32_t gen = slot->gen + 1;
	memset(slot, 0, size);
	*slot = (struct slot){.next_free = NONE, .gen = gen, .used = true};
	return index;
}

static void give(struct pool *pool, void *objects, size_t size, uint32_t index)
{
	struct slot *slot = slot_at(objects, size, index);
	slot->used = false;
	slot->next_free = pool->free;
	pool->free = index;
}

#define TAKE(state, name, max)                                                                     \
	take(&(state)->name##_pool, (state)->name##s, sizeof(*(state)->name##s), max)
#define GIVE(state, name, index)                                                                   \
	give(&(state)->name##_pool, (state)->name##s, sizeof(*(state)->name##s), index)

/* Make the free list again: what is not in use. */
static void rebuild(struct pool *pool, void *objects, size_t size)
{
	pool->free = NONE;
	for (uint32_t i = pool->top; i-- > 0;)
		if (!slot_at(objects, size, i)->used)
			give(pool, objects, size, i);
}

void state_rebuild_pools(struct state *state)
{
	rebuild(&state->program_pool, state->programs, sizeof(*state->programs));
	rebuild(&state->call_pool, state->calls, sizeof(*state->calls));
	rebuild(&state->conn_pool, state->conns, sizeof(*state->conns));
	rebuild(&state->listener_pool, state->listeners, sizeof(*state->listeners));
}

void state_rebuild_shares(struct state *state)
{
	rebuild(&state->share_pool, state->shares, sizeof(*state->shares));
}

uint32_t program_take(struct state *state)
{
	uint32_t index = TAKE(state, program, MAX_PROGRAMS);
	if (index == NONE)
		return NONE;
	state->programs[index].notify_fd = -1;
	state->programs[index].client = NONE;
	return index;
}

uint32_t call_take(struct state *state)
{
	uint32_t call = TAKE(state, call, MAX_CALLS);
	if (call != NONE)
		state->calls[call].owner = state->calls[call].share = state->calls[call].next =
			state->calls[call].previous = NONE;
	return call;
}

uint32_t conn_take(struct state *state)
{
	uint32_t index = TAKE(state, conn, MAX_CONNS);
	if (index == NONE)
		return NONE;
	struct conn *conn = &state->conns[index];
	conn->fd = conn->pidfd = conn->number = -1;
	conn->tunnel = conn->name = conn->listener = conn->calls = conn->next = NONE;
	conn->program = conn->share = conn->source = NONE;
	conn->uid = UNKNOWN_UID;
	return index;
}

uint32_t listener_take(struct state *state)
{
	uint32_t index = TAKE(state, listener, MAX_LISTENERS);
	if (index == NONE)
		return NONE;
	struct listener *listener = &state->listeners[index];
	listener->fd = listener->bell = -1;
	listener->calls = listener->dead = listener->next = listener->share = NONE;
	conns_clear(&listener->ready);
	conns_clear(&listener->owing);
	conns_clear(&listener->strangers[0]);
	conns_clear(&listener->strangers[1]);
	listener->program = NONE;
	listener->uid = UNKNOWN_UID;
	return index;
}

uint32_t share_take(struct state *state)
{
	uint32_t index = TAKE(state, share, MAX_SHARES);
	if (index != NONE)
		state->shares[index].next = NONE;
	return index;
}

void program_give(struct state *state, uint32_t program)
{
	GIVE(state, program, program);
}

void call_give(struct state *state, uint32_t call)
{
	GIVE(state, call, call);
}

void conn_give(struct state *state, uint32_t conn)
{
	explicit_bzero(&state->conns[conn].la, sizeof(state->conns[conn].la));
	GIVE(state, conn, conn);
}

void listener_give(struct state *state, uint32_t listener)
{
	GIVE(state, listener, listener);
}

void share_give(struct state *state, uint32_t share)
{
	GIVE(state, share, share);
}

/* A ring: the first one's previous is the last; the last one's next is NONE. */
void calls_append(struct state *state, uint32_t *first, uint32_t index)
{
	struct call *call = &state->calls[index];
	call->next = NONE;
	if (*first == NONE) {
		*first = call->previous = index;
		return;
	}
	uint32_t last = state->calls[*first].previous;
	call->previous = last;
	state->calls[last].next = index;
	state->calls[*first].previous = index;
}

void calls_remove(struct state *state, uint32_t *first, uint32_t index)
{
	struct call *call = &state->calls[index];
	uint32_t last = state->calls[*first].previous;
	if (index == *first) {
		*first = call->next;
		if (*first != NONE)
			state->calls[*first].previous = last;
	} else {
		state->calls[call->previous].next = call->next;
		uint32_t after = call->next == NONE ? *first : call->next;
		state->calls[after].previous = call->previous;
	}
	call->next = call->previous = NONE;
}

void conns_clear(struct list *list)
{
	list->first = list->last = NONE;
}

void conns_append(struct state *state, struct list *list, enum link link, uint32_t index)
{
	state->conns[index].links[link].next = NONE;
	state->conns[index].links[link].previous = list->last;
	if (list->last == NONE)
		list->first = index;
	else
		state->conns[list->last].links[link].next = index;
	list->last = index;
}

void conns_remove(struct state *state, struct list *list, enum link link, uint32_t index)
{
	uint32_t next = state->conns[index].links[link].next;
	uint32_t previous = state->conns[index].links[link].previous;
	if (previous == NONE)
		list->first = next;
	else
		state->conns[previous].links[link].next = next;
	if (next == NONE)
		list->last = previous;
	else
		state->conns[next].links[link].previous = previous;
}
