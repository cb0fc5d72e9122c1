#include "supervisor/dispatch/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/log.h"
#include "supervisor/base/reach.h"
#include "supervisor/dispatch/dispatch.h"
#include "supervisor/kernel/hand.h"
#include "supervisor/kernel/notify.h"
#include "supervisor/kernel/pass.h"
#include "supervisor/tunnel/tunnel.h"

struct question_in {
	union {
		struct control_header header;
		struct control_attach attach;
		struct control_listed listed;
		struct control_limit limit;
		struct control_tunnel tunnel;
	} message;
	int fd; /* what came along; -1: nothing */
};

static void watch(struct supervisor *s, uint32_t client)
{
	loop_watch(&s->loop, s->state->clients[client], EPOLLIN, false,
		   (struct object_id){.kind = OBJECT_CLIENT, .index = client});
}

void control_accept(struct supervisor *s)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	cleanup_fd int fd = accept4(s->state->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid()) {
		log_warn("a process of another user was refused on the control socket");
		return;
	}
	bool full = limit_reached(s->state, LIMIT_CLIENTS, limit_now(s->state, LIMIT_CLIENTS));
	for (uint32_t i = 0; !full && i < MAX_CLIENTS; i++) {
		if (s->state->clients[i] >= 0)
			continue;
		s->state->told[i] = (struct reach){0};
		atomic_signal_fence(memory_order_seq_cst);
		s->state->clients[i] = fd;
		steal_fd(&fd);
		watch(s, i);
		return;
	}
	log_warn("a connection to the control socket was refused: too many are open");
}

static void drop(struct supervisor *s, uint32_t client)
{
	struct state *state = s->state;
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		if (state->programs[i].client == client)
			state->programs[i].client = NONE;
	if (state->upgrade.client == client)
		state->upgrade.client = NONE;
	loop_unwatch(&s->loop, state->clients[client]);
	close_fd(&state->clients[client]);
}

/* Fill in the header of an answer and send it. */
static void answer(struct supervisor *s, uint32_t client, enum control_op op, uint16_t serial,
		   struct control_header *message, size_t size)
{
	*message = (struct control_header){CONTROL_VERSION, (uint8_t)op, serial, (uint32_t)size};
	if (send(s->state->clients[client], message, size, MSG_NOSIGNAL) < 0)
		drop(s, client);
}

static void reply(struct supervisor *s, uint32_t client, uint16_t serial, int error)
{
	struct control_reply message = {.error = error};
	answer(s, client, CONTROL_REPLY, serial, &message.header, sizeof(message));
}

/* --- the messages: 0, a positive errno for the reply, or ANSWERED --- */

#define ANSWERED (-1) /* or it will be */

static int take_tunnel(struct supervisor *s, uint32_t client, struct question_in *question)
{
	struct control_tunnel *message = &question->message.tunnel;
	int err = tunnel_take(s->state, message, true);
	if (err == 0)
		reach_add(&s->state->told[client],
			  tunnel_find(s->state, message->id, message->base));
	return -err;
}

/* May we look into it? Its keeper may, whatever Yama says; but we are no ancestor of it. */
static int may_look(pid_t pid)
{
	char byte;
	int got = hand_own_read(pid, 0, &byte, 1); /* nothing is at 0: EFAULT is a yes */
	if (got == -EPERM || got == -ENOSYS)
		return got;
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	cleanup_fd int fd = pidfd < 0 ? -errno : hand_own_getfd(pidfd, 0);
	return fd == -EPERM || fd == -ENOSYS ? fd : 0;
}

static bool has_program(const struct state *state, uint32_t client)
{
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		if (state->programs[i].slot.used && state->programs[i].notify_fd >= 0 &&
		    state->programs[i].client == client)
			return true;
	return false;
}

static void fill_in(const struct state *state, struct program *program, uint32_t client,
		    const struct control_attach *message)
{
	program->client = client;
	program->command = message->pid;
	program->guest = message->header.op == CONTROL_GUEST;
	program->reach = program->guest ? state->told[client] : reach_all();
	program->inherited = message->flags & ATTACH_AGAIN ? loop_now() : 0;
	program->allow_direct = (message->flags & ATTACH_DIRECT) != 0;
	/* a guest may know the addresses of tunnels that it has not got */
	program->only_listens = !program->guest && (message->flags & ATTACH_LISTENS) != 0;
	program->connects = message->flags & ATTACH_ASYNC  ? CONNECTS_ASYNC
			    : message->flags & ATTACH_HOLD ? CONNECTS_HOLD
							   : CONNECTS_BY_EVIDENCE;
}

static int take_program(struct supervisor *s, uint32_t client, struct question_in *question)
{
	struct state *state = s->state;
	pid_t pid = question->message.attach.pid;
	if (has_program(state, client))
		return 0; /* a supervisor before this one took it, and may not have said so */
	if (!notify_is_listener(question->fd))
		return EBADF;
	int err = may_look(pid);
	bool full = limit_reached(state, LIMIT_PROGRAMS, limit_now(state, LIMIT_PROGRAMS));
	uint32_t index = err < 0 || full ? NONE : program_take(state);
	if (index == NONE)
		return err < 0 ? -err : ENOSPC;
	fault_point("control.half-taken");
	fill_in(state, &state->programs[index], client, &question->message.attach);
	atomic_signal_fence(memory_order_seq_cst);
	state->programs[index].notify_fd = steal_fd(&question->fd);
	supervisor_watch_program(s, index);
	log_debug("process %d attached", (int)pid);
	return 0;
}

static void count_objects(const struct state *state, struct control_status *status)
{
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		status->programs += state->programs[i].slot.used;
	for (uint32_t i = 0; i < state->listener_pool.top; i++) {
		status->listeners += state->listeners[i].slot.used;
		if (state->listeners[i].slot.used)
			status->incoming += state->listeners[i].incoming;
	}
}

static int tell_status(struct supervisor *s, uint32_t client, struct question_in *question)
{
	const struct state *state = s->state;
	struct control_status status = {
		.pid = (int32_t)getpid(),
		.tunnels = state->tunnel_count,
		.names = state->name_count,
		.calls = state->held,
		.connecting = state->connecting,
		.stopping = state->stopping,
		.notifications = state->counters.notifications,
		.connects = state->counters.connects,
		.accepts = state->counters.accepts,
		.restarts = state->counters.restarts,
		.upgrades = state->counters.upgrades,
		.version = GS_VERSION,
	};
	memcpy(status.refused, state->counters.refused, sizeof(state->counters.refused));
	count_objects(state, &status);
	answer(s, client, CONTROL_STATUS, question->message.header.serial, &status.header,
	       sizeof(status));
	return ANSWERED;
}

static int tell_tunnel(struct supervisor *s, uint32_t client, struct question_in *question)
{
	const struct state *state = s->state;
	struct control_listed listed = {.index = question->message.listed.index};
	if (listed.index >= state->tunnel_count)
		return ENOENT;
	const struct tunnel *tunnel = &state->tunnels[listed.index];
	listed.initiates = tunnel->initiates;
	listed.secured = tunnel->secured;
	memcpy(listed.ports, tunnel->ports, sizeof(listed.ports));
	memcpy(listed.id, tunnel->id, sizeof(listed.id));
	memcpy(listed.base, state->lookups[listed.index].base, sizeof(listed.base));
	answer(s, client, CONTROL_LISTED, question->message.header.serial, &listed.header,
	       sizeof(listed));
	return ANSWERED;
}

static int take_stop(struct supervisor *s, uint32_t client, struct question_in *question)
{
	(void)client, (void)question;
	s->state->stopping = true;
	eventfd_write(s->state->keeper_wakes, 1);
	return 0;
}

int control_want_upgrade(struct state *state, uint32_t client, uint16_t serial)
{
	struct upgrade *upgrade = &state->upgrade;
	if (upgrade->stage != UPGRADE_IDLE)
		return -EALREADY;
	if (state->memory < 0 || !state->keeping.self[0])
		return -EOPNOTSUPP;
	upgrade->client = client;
	upgrade->serial = serial;
	upgrade->stage = UPGRADE_WANTED;
	eventfd_write(state->keeper_wakes, 1);
	return 0;
}

static int take_upgrade(struct supervisor *s, uint32_t client, struct question_in *question)
{
	struct upgrade *upgrade = &s->state->upgrade;
	uint16_t serial = question->message.header.serial;
	/* the supervisor that took it was ended before it had dropped the question */
	if (upgrade->client == client && upgrade->serial == serial)
		return upgrade->stage == UPGRADE_IDLE ? upgrade->error : ANSWERED;
	int err = control_want_upgrade(s->state, client, serial);
	return err < 0 ? -err : ANSWERED;
}

void control_upgraded(struct supervisor *s)
{
	struct upgrade *upgrade = &s->state->upgrade;
	if (upgrade->stage != UPGRADE_OVER)
		return;
	if (upgrade->client != NONE)
		reply(s, upgrade->client, upgrade->serial, upgrade->error);
	upgrade->stage = UPGRADE_IDLE; /* client and serial stay: the question may come again */
}

static int tell_limit(struct supervisor *s, uint32_t client, struct question_in *question)
{
	uint32_t i = question->message.limit.index;
	if (i >= LIMIT_COUNT)
		return ENOENT;
	struct control_limit limit = {.index = i,
				      .most = s->state->limits.most[i],
				      .now = limit_now(s->state, i),
				      .met = s->state->limits.met[i]};
	snprintf(limit.name, sizeof(limit.name), "%s", limit_specs[i].name);
	answer(s, client, CONTROL_LIMIT, question->message.header.serial, &limit.header,
	       sizeof(limit));
	return ANSWERED;
}

static const struct {
	uint32_t size;
	int (*take)(struct supervisor *s, uint32_t client, struct question_in *question);
} messages[] = {
	[CONTROL_TUNNEL] = {sizeof(struct control_tunnel), take_tunnel},
	[CONTROL_ATTACH] = {sizeof(struct control_attach), take_program},
	[CONTROL_STATUS] = {sizeof(struct control_header), tell_status},
	[CONTROL_STOP] = {sizeof(struct control_header), take_stop},
	[CONTROL_LISTED] = {sizeof(struct control_listed), tell_tunnel},
	[CONTROL_UPGRADE] = {sizeof(struct control_header), take_upgrade},
	[CONTROL_LIMIT] = {sizeof(struct control_limit), tell_limit},
	[CONTROL_GUEST] = {sizeof(struct control_attach), take_program},
};

/* A message of this version, known, and of the size that it says and that it must have. */
static bool well_formed(const struct control_header *header, int got)
{
	return got >= (int)sizeof(*header) && header->version == CONTROL_VERSION &&
	       header->op < sizeof(messages) / sizeof(*messages) && messages[header->op].take &&
	       header->size == messages[header->op].size && got == (int)header->size;
}

static int take(struct supervisor *s, uint32_t client, struct question_in *question)
{
	fault_point("control.peeked");
	int error = messages[question->message.header.op].take(s, client, question);
	fault_point("control.taken");
	return error;
}

/* What was sent and not read would reset the connection. */
static void hang_up(struct supervisor *s, uint32_t client)
{
	pass_drop(s->state->clients[client]);
	drop(s, client);
}

/* The question stays in the socket until it is answered: a supervisor that takes over in between
 * answers it. */
void control_event(struct supervisor *s, uint32_t client)
{
	struct question_in question;
	const struct control_header *header = &question.message.header;
	int error = EPROTO;
	int got = pass_peek(s->state->clients[client], &question.message, sizeof(question.message),
			    &question.fd);
	if (got == -EAGAIN || got == -EINTR)
		return;
	if (got == -EMSGSIZE)
		got = (int)sizeof(question.message) + 1;
	if (got <= 0)
		hang_up(s, client);
	else if (!well_formed(header, got))
		log_warn("a message on the control socket was not understood: it may be from "
			 "another version");
	else
		error = take(s, client, &question);
	if (got > 0 && error != ANSWERED)
		reply(s, client, got < (int)sizeof(*header) ? 0 : header->serial, error);
	fault_point("control.answered");
	if (s->state->clients[client] >= 0)
		pass_drop(s->state->clients[client]);
	fault_point("control.dropped");
	fd_cleanup(&question.fd);
	explicit_bzero(&question.message, sizeof(question.message)); /* a secret perhaps */
}

void control_recover(struct supervisor *s)
{
	if (s->state->control_fd < 0)
		return;
	loop_watch(&s->loop, s->state->control_fd, EPOLLIN, false,
		   (struct object_id){.kind = OBJECT_CONTROL});
	for (uint32_t i = 0; i < MAX_CLIENTS; i++)
		if (s->state->clients[i] >= 0)
			watch(s, i);
	/* half taken, half ended, or let go */
	for (uint32_t i = 0; i < s->state->program_pool.top; i++)
		if (s->state->programs[i].notify_fd < 0)
			s->state->programs[i].slot.used = false;
	control_upgraded(s);
}
