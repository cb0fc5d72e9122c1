#include "supervisor/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define LINE         1024
#define FOLD_SECONDS 10
#define FOLDED       16

static int warn_to = -1, debug_to = -1;

/* The latest warnings, to fold what repeats. */
static struct {
	uint32_t hash, count;
	time_t since;
} latest[FOLDED];

void log_init(int warn_fd, int debug_fd)
{
	warn_to = warn_fd;
	debug_to = debug_fd;
	tzset(); /* read the time zone while files may be opened */
}

int log_debugging(void)
{
	return debug_to >= 0;
}

static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

/* How often the line was left out before this time; -1: leave it out now. */
static int fold(const char *text)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint32_t hash = hash_of(text);
	size_t oldest = 0;
	for (size_t i = 0; i < FOLDED; i++) {
		if (latest[i].since && latest[i].hash == hash) {
			if (now.tv_sec - latest[i].since < FOLD_SECONDS) {
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
	latest[oldest].since = now.tv_sec + !now.tv_sec;
	return left_out;
}

static void write_line(int fd, const char *line, int len)
{
	struct pollfd to = {.fd = fd, .events = POLLOUT};
	/* who does not read must not hold up the programs */
	if (fd >= 0 && len > 0 && poll(&to, 1, 0) > 0 && to.revents & POLLOUT &&
	    write(fd, line, len < LINE ? (size_t)len : LINE - 1) < 0)
		return; /* the reader is gone or full: nobody to tell */
}

static void write_stamped(const char *text)
{
	char line[LINE + 64], name[16] = "";
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	prctl(PR_GET_NAME, name);
	int len = snprintf(line, sizeof(line), "%02d:%02d:%02d.%06ld %s[%d] %s\n", tm.tm_hour,
			   tm.tm_min, tm.tm_sec, now.tv_nsec / 1000, name, (int)getpid(), text);
	write_line(debug_to, line, len);
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[LINE - 64], line[LINE];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text[strcspn(text, "\n")] = '\0';
	if (debug_to >= 0)
		write_stamped(text);
	if (level != LOG_WARN || warn_to < 0)
		return;
	int left_out = fold(text);
	if (left_out < 0)
		return;
	int len = left_out ? snprintf(line, sizeof(line),
				      "globus-streams-run: %s (and %d times before)\n", text,
				      left_out)
			   : snprintf(line, sizeof(line), "globus-streams-run: %s\n", text);
	write_line(warn_to, line, len);
}
