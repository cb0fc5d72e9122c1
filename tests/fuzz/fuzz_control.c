/*
 * Messages on the control socket, from a process of the owner that says anything. A byte tells
 * whether a descriptor comes along (1) and whether it is a tunnel (2). A tunnel is one that is
 * right, with some of its bytes changed: how many, and for each its offset in two bytes and the
 * byte. Any other message: its length in two bytes, and so many bytes.
 */

#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/control.h"
#include "supervisor/base/fd.h"
#include "supervisor/dispatch/control.h"
#include "supervisor/dispatch/supervisor.h"
#include "supervisor/process/attach.h"

#define MESSAGES 16

/* A count of the descriptors that are open: nothing may stay. */
static int count_open(void)
{
	int count = 0;
	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void say(int socket, const uint8_t *bytes, size_t len, int descriptors)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(size_t)bytes, len};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	cleanup_fd int fd = eventfd(0, EFD_CLOEXEC);
	int fds[3] = {fd, fd, fd};
	if (descriptors) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE((size_t)descriptors * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)descriptors * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, (size_t)descriptors * sizeof(int));
	}
	sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_tunnel(int socket, struct fuzz_input *input)
{
	static const char id[] = "01234567-89ab-4def-8123-456789abcdef";
	struct control_tunnel message = {
		.header = {CONTROL_VERSION, CONTROL_TUNNEL, 0, sizeof(message)},
		.base = "/",
		.view = {.secured = true, .fake_port = 2000, .mapped_count = 1},
	};
	memcpy(message.id, id, sizeof(id));
	memcpy(message.view.mapped[0].host, "host.example", 12);
	message.view.mapped[0].port = 443;
	for (int changes = fuzz_byte(input) % 32; changes > 0; changes--) {
		size_t at = (fuzz_byte(input) | (size_t)fuzz_byte(input) << 8) % sizeof(message);
		((uint8_t *)&message)[at] = fuzz_byte(input);
	}
	say(socket, (uint8_t *)&message, sizeof(message), 0);
}

static void say_any(int socket, struct fuzz_input *input, int descriptors)
{
	size_t len, want = fuzz_byte(input) | (size_t)fuzz_byte(input) << 8;
	const uint8_t *bytes = fuzz_bytes(input, want, &len);
	say(socket, bytes, len, descriptors);
}

static void talk(struct supervisor *s, int socket, struct fuzz_input *input)
{
	uint8_t replies[CONTROL_MAX];
	for (int i = 0; i < MESSAGES && input->size && s->state->clients[0] >= 0; i++) {
		uint8_t kind = fuzz_byte(input);
		if (kind & 2)
			say_tunnel(socket, input);
		else
			say_any(socket, input, kind & 1);
		control_event(s, 0);
		while (recv(socket, replies, sizeof(replies), MSG_DONTWAIT) > 0)
			;
	}
}

static void finish(struct supervisor *s)
{
	for (uint32_t i = 0; i < s->state->tunnel_count; i++)
		assert(s->state->tunnels[i].key_len <= LAN_AUTH_KEY_MAX);
	close_fd(&s->state->clients[0]);
	for (uint32_t i = 0; i < s->state->program_pool.top; i++)
		close_fd(&s->state->programs[i].notify_fd);
	loop_finish(&s->loop);
	state_destroy(s->state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	int ends[2], before = count_open();
	struct supervisor s = {.state = state_create()};
	assert(s.state && loop_init(&s.loop, NULL, NULL) == 0);
	assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	s.state->clients[0] = ends[0];
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	talk(&s, ends[1], &input);
	finish(&s);
	close(ends[1]);
	assert(count_open() == before);
	return 0;
}
