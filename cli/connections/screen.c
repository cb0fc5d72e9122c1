#include "cli/connections/screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/base/clock.h"
#include "cli/base/say.h"
#include "cli/base/text.h"

/* alternate screen, no cursor, no wrapping; and back */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV,
			    SIGBUS, SIGFPE,  SIGILL, SIGTSTP, SIGPIPE, SIGALRM};
#define FATAL (sizeof(fatal) / sizeof(*fatal))

/* What a signal's handler needs. */
static struct {
	struct termios usual, raw;
	struct sigaction before[FATAL];
	sigset_t waiting; /* the mask of a wait, in which SIGWINCH comes */
	volatile sig_atomic_t resized;
} terminal;

static void put(const char *text)
{
	ssize_t done = write(STDOUT_FILENO, text, strlen(text));
	(void)done; /* a terminal that is gone needs nothing */
}

static void give_back(void)
{
	put(LEAVE);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.usual);
}

static void take(void)
{
	tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.raw);
	put(ENTER);
}

static void on_size(int signal_number)
{
	terminal.resized = true;
}

/* Give the terminal back, then let the signal do what it does without us; a stop may be over. */
static void on_fatal(int number)
{
	int saved = errno;
	struct sigaction mine, usual = {.sa_handler = SIG_DFL};
	sigset_t only, masked;
	give_back();
	sigaction(number, &usual, &mine);
	raise(number);
	sigemptyset(&only);
	sigaddset(&only, number);
	sigprocmask(SIG_UNBLOCK, &only, &masked);
	sigprocmask(SIG_SETMASK, &masked, NULL);
	sigaction(number, &mine, NULL);
	/* continued in the background, it is stopped here until it comes to the foreground */
	sigaddset(&only, SIGTTOU);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	take();
	sigprocmask(SIG_SETMASK, &masked, NULL);
	terminal.resized = true;
	errno = saved;
}

static void catch_signals(void)
{
	struct sigaction size = {.sa_handler = on_size}, end = {.sa_handler = on_fatal};
	sigset_t blocked;
	sigfillset(&end.sa_mask);
	for (size_t i = 0; i < FATAL; i++) {
		sigaction(fatal[i], NULL, &terminal.before[i]);
		if (terminal.before[i].sa_handler != SIG_IGN)
			sigaction(fatal[i], &end, NULL);
	}
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGWINCH);
	sigprocmask(SIG_BLOCK, &blocked, &terminal.waiting);
	sigdelset(&terminal.waiting, SIGWINCH);
	sigaction(SIGWINCH, &size, NULL);
}

static void measure(struct screen *screen)
{
	struct winsize size;
	screen->columns = 80;
	screen->rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		screen->columns = size.ws_col;
		screen->rows = size.ws_row;
	}
}

int screen_open(struct screen *screen)
{
	*screen = (struct screen){.colours = say_colours_stdout()};
	setlocale(LC_CTYPE, "");
	screen->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (tcgetattr(STDIN_FILENO, &terminal.usual) < 0)
		return -errno;
	terminal.raw = terminal.usual;
	terminal.raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	terminal.raw.c_cc[VMIN] = 0;
	terminal.raw.c_cc[VTIME] = 0;
	catch_signals();
	measure(screen);
	take();
	return 0;
}

void screen_close(struct screen *screen)
{
	give_back();
	for (size_t i = 0; i < FATAL; i++)
		sigaction(fatal[i], &terminal.before[i], NULL);
	free(screen->frame);
	*screen = (struct screen){0};
}

/* The keys that terminals write as several bytes. */
static int take_key(struct screen *screen)
{
	static const struct {
		const char *bytes;
		int key;
	} known[] = {
		{"\033[A", SCREEN_UP},   {"\033OA", SCREEN_UP},       {"\033[B", SCREEN_DOWN},
		{"\033OB", SCREEN_DOWN}, {"\033[5~", SCREEN_PAGE_UP}, {"\033[6~", SCREEN_PAGE_DOWN},
		{"\033[H", SCREEN_HOME}, {"\033[F", SCREEN_END},      {"\033[1~", SCREEN_HOME},
		{"\033[4~", SCREEN_END},
	};
	size_t len = 1;
	int key = (unsigned char)screen->keys[0];
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t size = strlen(known[i].bytes);
		if (size <= screen->keys_count && memcmp(screen->keys, known[i].bytes, size) == 0) {
			key = known[i].key;
			len = size;
		}
	}
	screen->keys_count -= len;
	memmove(screen->keys, screen->keys + len, screen->keys_count);
	return key;
}

static int read_keys(struct screen *screen, long long ms)
{
	struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	int ready = ppoll(&input, 1, &wait, &terminal.waiting);
	if (terminal.resized || ready <= 0)
		return SCREEN_NONE;
	ssize_t got = read(STDIN_FILENO, screen->keys, sizeof(screen->keys));
	if (got <= 0)
		return SCREEN_GONE;
	screen->keys_count = (size_t)got;
	return take_key(screen);
}

int screen_key(struct screen *screen, long long ms)
{
	int key = screen->keys_count ? take_key(screen) : read_keys(screen, ms);
	if (!terminal.resized)
		return key;
	terminal.resized = false;
	measure(screen);
	return SCREEN_RESIZED;
}

static void add(struct screen *screen, const char *bytes, size_t len)
{
	if (screen->used + len > screen->room) {
		size_t room = 2 * screen->room + len + 4096;
		char *more = realloc(screen->frame, room);
		if (!more)
			return;
		screen->frame = more;
		screen->room = room;
	}
	memcpy(screen->frame + screen->used, bytes, len);
	screen->used += len;
}

static void add_text(struct screen *screen, const char *text)
{
	add(screen, text, strlen(text));
}

void screen_begin(struct screen *screen)
{
	screen->used = 0;
	screen->line = 0;
	add_text(screen, "\033[H");
}

/* As many characters as there are columns; '?' where the terminal has no UTF-8. */
static void add_cut(struct screen *screen, const char *text)
{
	const char *at = text;
	for (int column = 0; *at && column < screen->columns; column++) {
		const char *from = at;
		long code = text_next(&at);
		if (code >= 0x20 && (code < 0x7f || (screen->utf8 && code >= 0xa0)))
			add(screen, from, (size_t)(at - from));
		else
			add(screen, "?", 1);
	}
}

void screen_line(struct screen *screen, const char *text, bool bold)
{
	if (screen->line >= screen->rows)
		return;
	if (screen->line++)
		add_text(screen, "\r\n");
	bold = bold && screen->colours;
	/* erased first: after a full line the cursor stands on its last column */
	add_text(screen, bold ? "\033[K\033[1m" : "\033[K");
	add_cut(screen, text);
	add_text(screen, bold ? "\033[0m" : "");
}

int screen_end(struct screen *screen)
{
	for (size_t done = 0; done < screen->used;) {
		ssize_t more = write(STDOUT_FILENO, screen->frame + done, screen->used - done);
		if (more < 0 && errno != EINTR)
			return -errno;
		done += more > 0 ? (size_t)more : 0;
	}
	return 0;
}
