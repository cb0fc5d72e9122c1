#include "cli/service/loopback.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/patience.h"
#include "cli/base/say.h"

#define REQUEST_MAX    8192
#define REQUEST_WAIT_S 5 /* for a silent connection: browsers open some in advance */

int loopback_listen(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	cleanup_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	*port = ntohs(address.sin_port);
	int listener = fd;
	fd = -1;
	return listener;
}

static int hex(char digit)
{
	if (!isxdigit((unsigned char)digit))
		return -1;
	return isdigit((unsigned char)digit) ? digit - '0'
					     : tolower((unsigned char)digit) - 'a' + 10;
}

static int decode(const char *text, size_t len, char *value, size_t size)
{
	size_t out = 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '%') {
			if (i + 2 >= len || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
				return -EINVAL;
			c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (out + 1 >= size || iscntrl((unsigned char)c))
			return -EINVAL;
		value[out++] = c;
	}
	value[out] = '\0';
	return 0;
}

int loopback_parameter(const char *target, const char *name, char *value, size_t size)
{
	const char *at = strchr(target, '?');
	size_t wanted = strlen(name);
	while (at) {
		at++;
		size_t len = strcspn(at, "&# ");
		if (len > wanted && strncmp(at, name, wanted) == 0 && at[wanted] == '=')
			return decode(at + wanted + 1, len - wanted - 1, value, size);
		at = at[len] == '&' ? at + len : NULL;
	}
	return -ENOENT;
}

static void reply(int fd, int status, const char *text)
{
	char page[1024];
	int n = snprintf(page, sizeof(page),
			 "HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
			 status, status == 200 ? "OK" : "Not Found", strlen(text), text);
	if (send(fd, page, (size_t)n, MSG_NOSIGNAL) < 0)
		say_verbose("cannot send the page to the browser: %s", strerror(errno));
}

/* Read the head of a request: its target, NUL-terminated, or NULL. */
static const char *read_target(int fd, char request[REQUEST_MAX])
{
	size_t len = 0;
	struct timeval limit = {.tv_sec = REQUEST_WAIT_S};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (;;) {
		ssize_t n = recv(fd, request + len, REQUEST_MAX - 1 - len, 0);
		if (n <= 0)
			return NULL;
		len += (size_t)n;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n"))
			break;
	}
	if (strncmp(request, "GET ", 4) != 0)
		return NULL;
	request[4 + strcspn(request + 4, " \r\n")] = '\0';
	return request + 4;
}

/* 0: here is the code; -EAGAIN: it was something else; -EACCES. */
static int serve(int fd, const char *state, char code[LOOPBACK_CODE_MAX])
{
	char request[REQUEST_MAX], given[128];
	const char *target = read_target(fd, request);
	if (!target)
		return -EAGAIN;
	if (loopback_parameter(target, "state", given, sizeof(given)) < 0 ||
	    strcmp(given, state) != 0) {
		reply(fd, 404, "<p>This is not the address of a login.</p>");
		return -EAGAIN;
	}
	int err = -EACCES;
	if (loopback_parameter(target, "code", code, LOOPBACK_CODE_MAX) == 0)
		err = 0;
	else if (loopback_parameter(target, "error", code, LOOPBACK_CODE_MAX) < 0)
		snprintf(code, LOOPBACK_CODE_MAX, "no code");
	reply(fd, 200,
	      err ? "<p>The login was refused; see the terminal.</p>"
		  : "<p>You are logged in. This page can be closed.</p>");
	explicit_bzero(request, sizeof(request));
	return err;
}

int loopback_catch(int fd, const char *state, unsigned seconds, char code[LOOPBACK_CODE_MAX])
{
	for (unsigned tenths = 0; tenths < seconds * 10 && patience_left_ms(1); tenths++) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		if (poll(&ready, 1, 100) < 0 && errno != EINTR)
			return -errno;
		say_tick();
		if (patience_gives_up(0))
			return -EINTR;
		cleanup_fd int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (peer < 0)
			continue;
		int err = serve(peer, state, code);
		if (err != -EAGAIN)
			return err;
	}
	return -ETIMEDOUT;
}
