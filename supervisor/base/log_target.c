#include "supervisor/base/log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL "/run/systemd/journal/socket"

/* The journal's socket takes one datagram an event. */
static int open_journal(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (snprintf(to.sun_path, sizeof(to.sun_path), "%s", path) >= (int)sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -2;
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd < 0 ? -2 : fd;
	int error = errno;
	close(fd);
	errno = error;
	return -2;
}

static void never_wait(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int log_target_stderr(void)
{
	struct stat stat;
	int fd = -1;
	/* poll() reports that a terminal or a pipe has room, not that it has room for a line.
	 * Opened a second time it can be made non-blocking for us alone. The position in a regular
	 * file must be shared, so that is not opened again. */
	if (fstat(STDERR_FILENO, &stat) == 0 && (S_ISCHR(stat.st_mode) || S_ISFIFO(stat.st_mode)))
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0 && fd <= STDERR_FILENO) {
		int low = fd;
		fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
		close(low);
	}
	return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
}

static int open_target(const char *target, const char *file, struct log_shape *shape)
{
	int fd;
	if (!target) {
		fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd >= 0)
			never_wait(fd);
	} else if (strcmp(target, "stderr") == 0) {
		fd = log_target_stderr();
	} else if (strcmp(target, "journal") == 0 || strncmp(target, "journal:", 8) == 0) {
		shape->format = LOG_JOURNAL;
		fd = open_journal(target[7] ? target + 8 : JOURNAL);
	} else {
		return open_target(NULL, target, shape);
	}
	return fd < 0 ? -2 : fd;
}

/* The number of a word, or -1. */
static int word(const char *const *words, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], text) == 0)
			return (int)i;
	return -1;
}

static const char *set_shape(const struct log_options *options, struct log_shape *shape,
			     const char **what)
{
	static const char *const formats[] = {
		[LOG_TEXT] = "text", [LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json"};
	static const char *const levels[] = {
		[LOG_WARN] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
	int format = options->format ? word(formats, 3, options->format) : LOG_TEXT;
	int level = options->level ? word(levels, 3, options->level) : LOG_DEBUG;
	*what = format < 0 ? options->format : options->level;
	if (format < 0)
		return "unknown log format; use text, logfmt or json";
	if (level < 0)
		return "unknown log level; use warning, info or debug";
	shape->format = (uint8_t)format;
	shape->level = (uint8_t)level;
	return NULL;
}

int log_target_open(const struct log_options *options, struct log_shape *shape, const char **what,
		    const char **why)
{
	*why = set_shape(options, shape, what);
	if (*why)
		return -2;
	bool wanted = options->debug || options->format || options->level;
	if (!options->target && !options->file && !wanted)
		return -1;
	const char *target = options->target || options->file ? options->target : "stderr";
	*what = target ? target : options->file;
	return open_target(target, options->file, shape);
}
