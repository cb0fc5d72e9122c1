#include "cli/base/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "cli/base/patience.h"
#include "cli/base/text.h"

#define BESIDE         12 /* columns of the progress line besides its text */
#define TICK_MS        120
#define LINE_MAX_BYTES 4000 /* enough for a command with its scopes */
#define RED            "\033[31m"
#define YELLOW         "\033[33m"
#define PLAIN          "\033[0m"

static struct {
	enum say_level level;
	bool terminal, colour;
	char waiting[96]; /* empty: nothing is waited for */
	bool drawn;
	long long since_ms, drawn_ms;
} say;

static bool colour_wanted(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fd) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

void say_setup(enum say_level level)
{
	say.level = level;
	say.terminal = isatty(STDERR_FILENO);
	say.colour = colour_wanted(STDERR_FILENO);
}

bool say_is_verbose(void)
{
	return say.level >= SAY_VERBOSE;
}

bool say_colours_stdout(void)
{
	return colour_wanted(STDOUT_FILENO);
}

static void undraw(void)
{
	if (say.drawn)
		fputs("\r\033[K", stderr);
	say.drawn = false;
}

__attribute__((format(printf, 3, 0))) static void line(const char *colour, const char *label,
						       const char *format, va_list args)
{
	char *whole = NULL;
	if (vasprintf(&whole, format, args) < 0)
		return;
	cleanup_free char *text = text_cut(whole, LINE_MAX_BYTES);
	free(whole);
	if (!text)
		return;
	text_clean(text);
	undraw();
	bool coloured = say.colour && *colour;
	fprintf(stderr, "globus-streams: %s%s%s%s\n", coloured ? colour : "", label,
		coloured ? PLAIN : "", text);
}

#define SAY_LINE(colour, label)                                                                    \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		line(colour, label, format, args);                                                 \
		va_end(args);                                                                      \
	} while (0)

void say_error(const char *format, ...)
{
	SAY_LINE(RED, say.colour ? "error: " : "");
}

void say_warning(const char *format, ...)
{
	if (say.level > SAY_QUIET)
		SAY_LINE(YELLOW, "warning: ");
}

void say_note(const char *format, ...)
{
	if (say.level > SAY_QUIET)
		SAY_LINE("", "");
}

void say_verbose(const char *format, ...)
{
	if (say.level >= SAY_VERBOSE)
		SAY_LINE("", "");
}

void say_debug(const char *format, ...)
{
	if (say.level >= SAY_DEBUG)
		SAY_LINE("", "debug: ");
}

void say_waiting(const char *what)
{
	if (!what) {
		undraw();
		say.waiting[0] = '\0';
		return;
	}
	if (!say.waiting[0])
		say.since_ms = clock_ms();
	snprintf(say.waiting, sizeof(say.waiting), "%s", what);
	text_clean(say.waiting);
	say_tick();
}

bool say_is_waiting(void)
{
	return say.waiting[0];
}

bool say_lock_tick(void)
{
	if (!say_is_waiting())
		say_waiting("waiting for another globus-streams to finish");
	say_tick();
	return !patience_gives_up(0);
}

/* Columns for the text: a line that wraps could not be erased. */
static int room(void)
{
	struct winsize size;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return sizeof(say.waiting);
	return size.ws_col > BESIDE ? size.ws_col - BESIDE : 0;
}

void say_tick(void)
{
	static const char turn[] = {'|', '/', '-', '\\'};
	if (!say.terminal || !say.waiting[0] || say.level == SAY_QUIET)
		return;
	long long now = clock_ms();
	/* Short waits draw nothing, so that nothing flickers. */
	if (now - say.since_ms < 400 || (say.drawn && now - say.drawn_ms < TICK_MS))
		return;
	say.drawn_ms = now;
	say.drawn = true;
	fprintf(stderr, "\r\033[K%c %.*s (%llds)", turn[now / TICK_MS % 4], room(), say.waiting,
		(now - say.since_ms) / 1000);
	fflush(stderr);
}
