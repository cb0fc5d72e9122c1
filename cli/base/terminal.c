#include "cli/base/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "cli/base/cleanup.h"

#define TICK_MS 100

int terminal_open(struct terminal *terminal)
{
	cleanup_fd int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	/* To read in the background would stop us (SIGTTIN). */
	if (tcgetpgrp(fd) != getpgrp())
		return -EAGAIN;
	FILE *out = fdopen(fd, "w");
	if (!out)
		return -errno;
	*terminal = (struct terminal){.in = fd, .out = out, .opened = true};
	steal_fd(&fd);
	return 0;
}

void terminal_substitute(struct terminal *terminal, FILE *out)
{
	*terminal = (struct terminal){.in = STDIN_FILENO, .out = out};
}

void terminal_close(struct terminal *terminal)
{
	if (terminal->opened)
		fclose(terminal->out);
	*terminal = (struct terminal){.in = -1};
}

/* One byte: 1, 0 at the end, or -errno. */
static int read_byte(int fd, char *byte, bool (*tick)(void))
{
	/* A signal that comes just before read() would not interrupt it. */
	struct pollfd input = {.fd = fd, .events = POLLIN};
	for (;;) {
		int ready = poll(&input, 1, TICK_MS);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (!tick())
			return -EINTR;
		if (ready <= 0)
			continue;
		ssize_t got = read(fd, byte, 1);
		if (got >= 0)
			return (int)got;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

int terminal_read_line(const struct terminal *terminal, char *line, size_t size, bool (*tick)(void))
{
	size_t len = 0;
	char byte;
	int got;
	while ((got = read_byte(terminal->in, &byte, tick)) > 0 && byte != '\n')
		if (len + 1 < size)
			line[len++] = byte;
	line[len] = '\0';
	if (got < 0)
		return got;
	return got == 0 && len == 0 ? -ENODATA : 0;
}
