#include "cli/connections/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/base/clock.h"
#include "cli/base/say.h"
#include "cli/base/text.h"
#include "cli/connections/quantity.h"
#include "cli/connections/screen.h"

#define EVERY_MS    1000
#define AGAIN_LOOKS 10 /* the conf files are read again after so many */
#define WIDE        120
#define LINE        2048
#define FILTER      32
#define AROUND      4 /* lines of the screen that are no connections */

enum order { BY_SENT, BY_RECEIVED, BY_PROCESS, BY_TUNNEL, BY_AGE, BY_VERDICT, ORDERS };

static const char *const order_names[ORDERS] = {"sent/s", "received/s", "process",
						"tunnel", "age",        "verdict"};

struct watch {
	struct cli *cli;
	struct survey *survey;
	struct places *places;
	struct screen screen;
	enum order order;
	bool reversed, typing;
	char filter[FILTER];
	const struct connection **shown;
	size_t count, top;
	bool done;
};

/* One line in the making: cells of so many columns. */
struct line {
	char text[LINE];
	size_t used;
};

bool watch_is_possible(void)
{
	const char *term = getenv("TERM");
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
	       strcmp(term, "dumb") != 0;
}

static int by_number(double one, double other)
{
	return one > other ? -1 : one < other;
}

static enum order sorting; /* qsort has no context */

static int compare(const void *a, const void *b)
{
	const struct connection *one = *(const struct connection *const *)a;
	const struct connection *other = *(const struct connection *const *)b;
	int order = 0;
	if (sorting == BY_SENT)
		order = by_number(one->sent_rate, other->sent_rate);
	else if (sorting == BY_RECEIVED)
		order = by_number(one->received_rate, other->received_rate);
	else if (sorting == BY_PROCESS)
		order = strcasecmp(one->process, other->process);
	else if (sorting == BY_TUNNEL)
		order = strcmp(one->place->id, other->place->id);
	else if (sorting == BY_AGE)
		order = by_number((double)one->age_ms, (double)other->age_ms);
	else
		order = (int)one->verdict - (int)other->verdict;
	return order ? order : one->now.cookie < other->now.cookie ? -1 : 1;
}

static bool has(const char *text, const char *part)
{
	return strcasestr(text, part);
}

static bool passes(const struct watch *watch, const struct connection *connection)
{
	char peer[SOCKETS_END_TEXT];
	sockets_end_format(&connection->now.peer, peer);
	return !*watch->filter || has(connection->process, watch->filter) ||
	       has(connection->place->id, watch->filter) || has(peer, watch->filter) ||
	       has(verdict_short(connection->verdict), watch->filter);
}

static void select_shown(struct watch *watch)
{
	const struct survey *survey = watch->survey;
	free(watch->shown);
	watch->shown = calloc(survey->count + 1, sizeof(*watch->shown));
	watch->count = 0;
	for (size_t i = 0; watch->shown && i < survey->count; i++)
		if (passes(watch, &survey->list[i]))
			watch->shown[watch->count++] = &survey->list[i];
	sorting = watch->order;
	if (watch->count)
		qsort(watch->shown, watch->count, sizeof(*watch->shown), compare);
	for (size_t i = 0; watch->reversed && i < watch->count / 2; i++) {
		const struct connection *other = watch->shown[i];
		watch->shown[i] = watch->shown[watch->count - 1 - i];
		watch->shown[watch->count - 1 - i] = other;
	}
}

/* Put a text into so many columns and a space after it; negative: at their right end; 0: all. */
static void cell(struct line *line, int width, const char *text)
{
	int taken = 0, most = abs(width);
	const char *at = text;
	while (*at && (!most || taken < most)) {
		text_next(&at);
		taken++;
	}
	int pad = most - taken;
	int n = snprintf(line->text + line->used, LINE - line->used, "%*s%.*s%*s ",
			 width < 0 ? pad : 0, "", (int)(at - text), text, width > 0 ? pad : 0, "");
	if (n > 0 && line->used + (size_t)n < LINE)
		line->used += (size_t)n;
}

static void bytes_cell(struct line *line, int width, double bytes, const char *tail)
{
	char number[QUANTITY_TEXT], text[2 * QUANTITY_TEXT];
	quantity_bytes(bytes, number);
	snprintf(text, sizeof(text), "%s%s", number, tail);
	cell(line, width, text);
}

/* The rates of the last looks, the highest of them as a whole bar. */
static void bars(const struct watch *watch, struct line *line, int width,
		 const struct connection *connection)
{
	static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const plain[] = {" ", ".", ":", "-", "=", "+", "*", "%", "#"};
	const float *newest = connection->history + SURVEY_HISTORY - width;
	char text[4 * SURVEY_HISTORY] = "";
	float most = 0;
	for (int i = 0; i < width; i++)
		most = newest[i] > most ? newest[i] : most;
	for (int i = 0; i < width; i++) {
		int level = most > 0 ? (int)(newest[i] / most * 8 + 0.5F) : 0;
		level = newest[i] > 0 && !level ? 1 : level;
		strcat(text, (watch->screen.utf8 ? blocks : plain)[level]);
	}
	cell(line, width, text);
}

static bool is_wide(const struct watch *watch)
{
	return watch->screen.columns >= WIDE;
}

/* The columns; head: their names. */
static void make_line(const struct watch *watch, struct line *line,
		      const struct connection *connection)
{
	char text[QUANTITY_TEXT], age[2 * QUANTITY_TEXT], peer[SOCKETS_END_TEXT];
	bool wide = is_wide(watch);
	int history = wide ? 16 : 6;
	cell(line, 14, connection->process);
	cell(line, 8, connection->place->id);
	bytes_cell(line, -9, connection->sent_rate, "/s");
	bytes_cell(line, -9, connection->received_rate, "/s");
	bars(watch, line, history, connection);
	quantity_short_time(connection->now.info.tcpi_rtt, text);
	cell(line, -7, text);
	if (wide) {
		sockets_end_format(&connection->now.peer, peer);
		cell(line, 21, peer);
		quantity_time(connection->age_ms, text);
		snprintf(age, sizeof(age), "%s%s", connection->began ? "" : "> ", text);
		cell(line, -12, age);
		bytes_cell(line, -7, (double)connection->sent, "");
		bytes_cell(line, -7, (double)connection->received, "");
	}
	if (watch->screen.columns >= WIDE + 40) {
		snprintf(text, sizeof(text), "%u", connection->now.info.tcpi_total_retrans);
		cell(line, -7, text);
		bytes_cell(line, -7, connection->now.unsent, "");
		bytes_cell(line, -7, connection->now.unread, "");
	}
	cell(line, 0, verdict_short(connection->verdict));
}

static void make_heads(const struct watch *watch, struct line *line)
{
	bool wide = is_wide(watch);
	cell(line, 14, "Process");
	cell(line, 8, "Tunnel");
	cell(line, -9, "Sent/s");
	cell(line, -9, "Recv/s");
	cell(line, wide ? 16 : 6, "Rates");
	cell(line, -7, "RTT");
	if (wide) {
		cell(line, 21, "Peer");
		cell(line, -12, "Age");
		cell(line, -7, "Sent");
		cell(line, -7, "Recv");
	}
	if (watch->screen.columns >= WIDE + 40) {
		cell(line, -7, "Retrans");
		cell(line, -7, "Unsent");
		cell(line, -7, "Unread");
	}
	cell(line, 0, "Verdict");
}

static void draw_sums(struct watch *watch)
{
	struct line line = {0};
	char text[64];
	double out = 0, in = 0;
	for (size_t i = 0; i < watch->count; i++) {
		out += watch->shown[i]->sent_rate;
		in += watch->shown[i]->received_rate;
	}
	snprintf(text, sizeof(text), "%zu connection%s", watch->count,
		 watch->count == 1 ? "" : "s");
	cell(&line, 0, "globus-streams:");
	cell(&line, 20, text);
	cell(&line, 0, "sent");
	bytes_cell(&line, -9, out, "/s");
	cell(&line, 0, " received");
	bytes_cell(&line, -9, in, "/s");
	screen_line(&watch->screen, line.text, true);
}

static void draw_keys(struct watch *watch)
{
	char text[160];
	if (watch->typing)
		snprintf(text, sizeof(text), "filter: %s_", watch->filter);
	else
		snprintf(text, sizeof(text), "q quit  s sort: %s%s  r reverse  / filter%s%s",
			 order_names[watch->order], watch->reversed ? " (reversed)" : "",
			 *watch->filter ? ": " : "", watch->filter);
	screen_line(&watch->screen, text, false);
}

static size_t rows(const struct watch *watch)
{
	return watch->screen.rows > AROUND ? (size_t)watch->screen.rows - AROUND : 0;
}

static int draw(struct watch *watch)
{
	struct screen *screen = &watch->screen;
	struct line heads = {0};
	char text[80];
	size_t room = rows(watch), last;
	if (watch->top + room > watch->count)
		watch->top = watch->count > room ? watch->count - room : 0;
	last = watch->top + room < watch->count ? watch->top + room : watch->count;
	screen_begin(screen);
	draw_sums(watch);
	make_heads(watch, &heads);
	screen_line(screen, heads.text, true);
	for (size_t i = watch->top; i < last; i++) {
		struct line line = {0};
		make_line(watch, &line, watch->shown[i]);
		screen_line(screen, line.text, false);
	}
	for (size_t i = last - watch->top; i < room; i++)
		screen_line(screen, "", false);
	snprintf(text, sizeof(text), "%zu to %zu of %zu", last ? watch->top + 1 : 0, last,
		 watch->count);
	screen_line(screen, text, false);
	draw_keys(watch);
	return screen_end(screen);
}

static void clear(struct watch *watch)
{
	watch->typing = false;
	memset(watch->filter, 0, sizeof(watch->filter));
}

static void type(struct watch *watch, int key)
{
	size_t len = strlen(watch->filter);
	if (key == '\r' || key == '\n')
		watch->typing = false;
	else if (key == 27)
		clear(watch);
	else if ((key == 127 || key == 8) && len)
		watch->filter[len - 1] = '\0';
	else if (key >= ' ' && key < 127 && len + 1 < FILTER)
		watch->filter[len] = (char)key;
}

static void scroll(struct watch *watch, int key)
{
	size_t page = rows(watch);
	if (key == SCREEN_DOWN || key == 'j')
		watch->top++;
	else if ((key == SCREEN_UP || key == 'k') && watch->top)
		watch->top--;
	else if (key == SCREEN_PAGE_DOWN)
		watch->top += page;
	else if (key == SCREEN_PAGE_UP)
		watch->top -= watch->top < page ? watch->top : page;
	else if (key == SCREEN_HOME)
		watch->top = 0;
	else if (key == SCREEN_END)
		watch->top = watch->count;
}

static void press(struct watch *watch, int key)
{
	if (watch->typing && key < SCREEN_UP)
		type(watch, key);
	else if (key == 'q' || key == SCREEN_GONE)
		watch->done = true;
	else if (key == 's')
		watch->order = (watch->order + 1) % ORDERS;
	else if (key == 'r')
		watch->reversed = !watch->reversed;
	else if (key == '/')
		watch->typing = true;
	else
		scroll(watch, key);
}

static int look(struct watch *watch, unsigned looks)
{
	if (looks && looks % AGAIN_LOOKS == 0)
		places_again(watch->places, watch->cli);
	return survey_look(watch->survey, watch->places, true, &watch->cli->failure);
}

/* Until the next look. */
static int wait_for_keys(struct watch *watch, long long until)
{
	while (!watch->done) {
		long long left = until - clock_ms();
		if (left <= 0)
			return 0;
		int key = screen_key(&watch->screen, left);
		if (key == SCREEN_NONE)
			continue;
		press(watch, key);
		select_shown(watch);
		if (draw(watch) < 0)
			return -1;
	}
	return 0;
}

static int loop(struct watch *watch)
{
	long long next = clock_ms();
	for (unsigned looks = 0; !watch->done; looks++) {
		if (look(watch, looks) < 0)
			return -1;
		select_shown(watch);
		if (draw(watch) < 0)
			return 0; /* the terminal is gone */
		next += EVERY_MS;
		if (next < clock_ms()) /* after a stop */
			next = clock_ms() + EVERY_MS;
		if (wait_for_keys(watch, next) < 0)
			return 0;
	}
	return 0;
}

int watch_run(struct cli *cli, struct survey *survey, struct places *places)
{
	struct watch watch = {.cli = cli, .survey = survey, .places = places};
	int err = screen_open(&watch.screen);
	if (err)
		return failure_set(&cli->failure, STATUS_FAILED, "cannot use the terminal: %s",
				   strerror(-err));
	say_setup(SAY_QUIET);
	err = loop(&watch);
	screen_close(&watch.screen);
	free(watch.shown);
	return err;
}
