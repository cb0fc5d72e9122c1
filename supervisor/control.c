#include "supervisor/control.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/attach.h"
#include "supervisor/fd.h"
#include "supervisor/hand.h"
#include "supervisor/log.h"
#include "supervisor/lookup.h"
#include "supervisor/notify.h"
#include "supervisor/pass.h"
#include "supervisor/tunnel.h"

struct incoming {
	union {
		struct control_header header;
		struct control_attach attach;
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
		log_warn("a process of another user may not use the control socket");
		return;
	}
	for (uint32_t i = 0; i < MAX_CLIENTS; i++) {
		if (s->state->clients[i] >= 0)
			continue;
		s->state->clients[i] = fd;
		steal_fd(&fd);
		watch(s, i);
		return;
	}
	log_warn("too many launches are attached");
}

static void drop(struct supervisor *s, uint32_t client)
{
	loop_unwatch(&s->loop, s->state->clients[client]);
	close_fd(&s->state->clients[client]);
}

static void reply(struct supervisor *s, uint32_t client, int error)
{
	struct control_reply message = {
		{CONTROL_VERSION, CONTROL_REPLY, 0, sizeof(message)}, error, 0};
	if (send(s->state->clients[client], &message, sizeof(message), MSG_NOSIGNAL) < 0)
		drop(s, client);
}

/* --- the messages --- */

static void take_tunnel(struct supervisor *s, uint32_t client, struct incoming *incoming)
{
	struct control_tunnel *message = &incoming->message.tunnel;
	uint8_t id[UUID_BYTES];
	message->id[UUID_TEXT] = message->base[sizeof(message->base) - 1] = '\0';
	if (uuid_parse(message->id, id) < 0 || !conf_view_whole(&message->view)) {
		reply(s, client, EINVAL);
		return;
	}
	/* a launch that names the tunnel again may have a new secret or contact */
	uint32_t tunnel = tunnel_find(s->state, message->id, message->base);
	int err = tunnel == NONE ? tunnel_add(s->state, message->id, message->base, &message->view)
				 : tunnel_renew(s->state, tunnel, &message->view);
	tunnel = tunnel_find(s->state, message->id, message->base);
	for (size_t i = 0; err == 0 && i < MAX_PORTS && message->ports[i]; i++)
		err = tunnel_listen(s->state, tunnel, message->ports[i]);
	conf_view_wipe(&message->view);
	reply(s, client, -err);
}

/* May we look into it? Its keeper may, whatever Yama says; but we are no ancestor of it. */
static int may_look(pid_t pid)
{
	char byte;
	int got = hand_own_read(pid, 0, &byte, 1); /* nothing is at 0: EFAULT is a yes */
	return got == -EPERM ? -EPERM : 0;
}

static void take_program(struct supervisor *s, uint32_t client, struct incoming *incoming)
{
	int err =
		notify_is_listener(incoming->fd) ? may_look(incoming->message.attach.pid) : -EBADF;
	uint32_t index = err < 0 ? NONE : program_take(s->state);
	if (index == NONE) {
		reply(s, client, err < 0 ? -err : ENOSPC);
		return;
	}
	s->state->programs[index].notify_fd = incoming->fd;
	steal_fd(&incoming->fd);
	supervisor_watch_program(s, index);
	log_debug("process %d is attached", (int)incoming->message.attach.pid);
	reply(s, client, 0);
}

static void tell_status(struct supervisor *s, uint32_t client, struct incoming *incoming)
{
	const struct state *state = s->state;
	struct control_status status = {
		.header = {CONTROL_VERSION, CONTROL_STATUS, 0, sizeof(status)},
		.pid = (int32_t)getpid(),
		.tunnels = state->tunnel_count,
		.names = state->name_count,
		.calls = state->held,
		.connecting = state->connecting,
		.notifications = state->counters.notifications,
		.connects = state->counters.connects,
		.accepts = state->counters.accepts,
		.refused = state->counters.refused,
		.restarts = state->counters.restarts,
	};
	(void)incoming;
	for (uint32_t i = 0; i < state->program_pool.top; i++)
		status.programs += state->programs[i].slot.used;
	for (uint32_t i = 0; i < state->listener_pool.top; i++) {
		status.listeners += state->listeners[i].slot.used;
		if (state->listeners[i].slot.used)
			status.incoming += state->listeners[i].incoming;
	}
	if (send(state->clients[client], &status, sizeof(status), MSG_NOSIGNAL) < 0)
		drop(s, client);
}

static void take_stop(struct supervisor *s, uint32_t client, struct incoming *incoming)
{
	(void)incoming;
	s->state->stopping = true;
	eventfd_write(s->state->keeper_wakes, 1);
	reply(s, client, 0);
}

static const struct {
	uint32_t size;
	void (*take)(struct supervisor *s, uint32_t client, struct incoming *incoming);
} messages[] = {
	[CONTROL_TUNNEL] = {sizeof(struct control_tunnel), take_tunnel},
	[CONTROL_ATTACH] = {sizeof(struct control_attach), take_program},
	[CONTROL_STATUS] = {sizeof(struct control_header), tell_status},
	[CONTROL_STOP] = {sizeof(struct control_header), take_stop},
};

/* A message of this version, known, and of the size that it says and that it must have. */
static bool well_formed(const struct control_header *header, int got)
{
	return got >= (int)sizeof(*header) && header->version == CONTROL_VERSION &&
	       header->op < sizeof(messages) / sizeof(*messages) && messages[header->op].take &&
	       header->size == messages[header->op].size && got == (int)header->size;
}

void control_event(struct supervisor *s, uint32_t client)
{
	struct incoming incoming;
	int got = pass_receive(s->state->clients[client], &incoming.message,
			       sizeof(incoming.message), &incoming.fd);
	if (got == -EAGAIN || got == -EINTR)
		return;
	if (got <= 0) {
		drop(s, client);
	} else if (!well_formed(&incoming.message.header, got)) {
		log_warn("a message on the control socket is not understood: of another version?");
		reply(s, client, EPROTO);
	} else {
		messages[incoming.message.header.op].take(s, client, &incoming);
	}
	fd_cleanup(&incoming.fd);
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
}
