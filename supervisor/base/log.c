#include "supervisor/base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/base/log_format.h"

#define TEXT         1024
#define FOLD_SECONDS 10
#define FOLDED       16

static int warn_to = -1, debug_to = -1;
static struct log_shape shape = {LOG_TEXT, LOG_DEBUG, UINT32_MAX};

/* The latest warnings, to fold what repeats. */
static struct {
	uint32_t hash, count;
	time_t since;
} latest[FOLDED];

/* The last line of the log, and the lines of this second. */
static struct {
	uint32_t hash, repeated;
	time_t second;
	uint32_t lines, left_out;
} written;

void log_init(int warn_fd, int debug_fd)
{
	warn_to = warn_fd;
	debug_to = debug_fd;
	tzset(); /* read the time zone while files may be opened */
}

void log_be(const struct log_shape *wanted)
{
	shape = *wanted;
}

int log_is_open(void)
{
	return debug_to >= 0;
}

int log_debugging(void)
{
	return debug_to >= 0 && shape.level >= LOG_DEBUG;
}

static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

static time_t seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + !now.tv_sec;
}

/* How often the warning was left out before this time; -1: leave it out now. */
static int fold(uint32_t hash)
{
	time_t now = seconds();
	size_t oldest = 0;
	for (size_t i = 0; i < FOLDED; i++) {
		if (latest[i].since && latest[i].hash == hash) {
			if (now - latest[i].since < FOLD_SECONDS) {
				latest[i].count++;
				return -1;
			}
			oldest = i;
			break;
		}
		if (latest[i].since < latest[oldest].since)
			oldest = i;
	}
	int left_out = latest[oldest].hash == hash ? (int)latest[oldest].count : 0;
	latest[oldest].hash = hash;
	latest[oldest].count = 0;
	latest[oldest].since = now;
	return left_out;
}

static void write_line(int fd, const char *line, size_t len)
{
	struct pollfd to = {.fd = fd, .events = POLLOUT};
	/* who does not read must not hold up the programs */
	if (fd >= 0 && len > 0 && poll(&to, 1, 0) > 0 && to.revents & POLLOUT &&
	    write(fd, line, len) < 0)
		return; /* the reader is gone, or the disk is full: nobody to tell */
}

static void write_log(enum log_level level, const struct log_about *about, const char *text)
{
	char line[LOG_LINE];
	write_line(debug_to, line,
		   log_format(line, (enum log_format)shape.format, level, about, text));
}

/* Is there room for a line in this second? What had none is told in the next. */
static bool in_time(void)
{
	char text[64];
	time_t now = seconds();
	if (now != written.second) {
		uint32_t left_out = written.left_out;
		written.second = now;
		written.lines = written.left_out = 0;
		if (left_out) {
			snprintf(text, sizeof(text), "%u lines left out: too many in a second",
				 (unsigned)left_out);
			write_log(LOG_WARN, NULL, text);
		}
	}
	if (written.lines >= shape.lines) {
		written.left_out++;
		return false;
	}
	written.lines++;
	return true;
}

static void log_to_log(enum log_level level, const struct log_about *about, const char *text,
		       uint32_t hash)
{
	char again[64];
	if (hash == written.hash) {
		written.repeated++;
		return;
	}
	if (written.repeated && in_time()) {
		snprintf(again, sizeof(again), "last message repeated %u times",
			 (unsigned)written.repeated);
		write_log(level, NULL, again);
	}
	written.hash = hash;
	written.repeated = 0;
	if (in_time())
		write_log(level, about, text);
}

static void warn(const char *text, uint32_t hash)
{
	char line[TEXT * 4 + 64], escaped[TEXT * 4];
	int left_out = fold(hash);
	if (left_out < 0)
		return;
	log_escape(escaped, sizeof(escaped), text, false);
	int len = snprintf(line, TEXT, "globus-streams-run: %s", escaped);
	if (left_out && len < TEXT)
		len += snprintf(line + len, TEXT, " (and %d times before)", left_out);
	snprintf(line + (len < TEXT ? len : TEXT - 1), 2, "\n");
	write_line(warn_to, line, strlen(line));
}

void log_event(enum log_level level, const struct log_about *about, const char *format, ...)
{
	char text[TEXT - 64];
	va_list args;
	if (level > shape.level && level != LOG_WARN)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	uint32_t hash = hash_of(about && about->key ? about->key : text);
	if (debug_to >= 0)
		log_to_log(level, about, text, hash);
	if (level == LOG_WARN && warn_to >= 0)
		warn(text, hash);
}
