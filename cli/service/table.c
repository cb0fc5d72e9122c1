#include "cli/service/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/options.h"
#include "cli/base/say.h"
#include "cli/base/text.h"

#define COLUMNS_MAX   16
#define WIDTH_MAX     60 /* longer texts exceed their column instead of widening all rows */
#define TERMINAL_WIDE 88 /* from here on, a tenth of the terminal stays free */

/* A table whose rows are folded into lines of fewer columns: the cell of column c is in line
 * c % lines, and there in place c / lines. */
struct table {
	size_t columns, rows;
	const char *const *heads, *const *cells;
	size_t lines, places;
	size_t widths[COLUMNS_MAX]; /* of the places */
};

/* A line between others: what begins it, fills it, stands between two places, and ends it. */
struct rule {
	const char *begin, *fill, *between, *end;
};

static const struct rule rule_plain = {"", "-", "-+-", ""};
static const struct rule rule_unfolded = {"", "-", " | ", ""}; /* GLOBUS_CLI_FOLD_TABLES=0 */
static const struct rule rule_top = {"╒═", "═", "═╤═", "═╕"};
static const struct rule rule_head = {"╞═", "═", "═╪═", "═╡"};
static const struct rule rule_row = {"├─", "─", "─┼─", "─┤"};
static const struct rule rule_bottom = {"└─", "─", "─┴─", "─┘"};

/* Columns that a text takes: its UTF-8 characters. */
static size_t width(const char *text)
{
	size_t count = 0;
	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static char *clean(const char *value)
{
	char *text = strdup(value ? value : "None");
	if (text)
		text_clean(text);
	return text;
}

/* Lay the table out in so many lines a row. most: what a text can widen its column to; 0: any. */
static void fold(struct table *table, size_t lines, size_t most)
{
	table->lines = lines;
	table->places = (table->columns + lines - 1) / lines;
	memset(table->widths, 0, sizeof(table->widths));
	for (size_t i = 0; i < (table->rows + 1) * table->columns; i++) {
		size_t column = i % table->columns;
		bool head = i < table->columns;
		cleanup_free char *text =
			clean(head ? table->heads[i] : table->cells[i - table->columns]);
		size_t *widest = &table->widths[column / lines], need = text ? width(text) : 0;
		if (most && !head && need > most)
			need = most;
		if (need > *widest)
			*widest = need;
	}
}

static size_t total(const struct table *table)
{
	size_t sum = 3 * (table->places - 1) + (table->lines > 1 ? 4 : 0);
	for (size_t i = 0; i < table->places; i++)
		sum += table->widths[i];
	return sum;
}

static void print_rule(const struct table *table, const struct rule *rule)
{
	fputs(rule->begin, stdout);
	for (size_t i = 0; i < table->places; i++) {
		fputs(i ? rule->between : "", stdout);
		for (size_t j = 0; j < table->widths[i]; j++)
			fputs(rule->fill, stdout);
	}
	puts(rule->end);
}

/* The dashed line between the lines of one row: " ─ ─ ". */
static void print_dashes(const struct table *table)
{
	fputs(rule_row.begin, stdout);
	for (size_t i = 0; i < table->places; i++) {
		fputs(i ? rule_row.between : "", stdout);
		for (size_t j = 0; j < table->widths[i]; j++)
			fputs(j % 2 && j + 1 < table->widths[i] ? "─" : " ", stdout);
	}
	puts(rule_row.end);
}

static void print_cell(const struct table *table, const char *cell, size_t place, bool bold)
{
	cleanup_free char *text = clean(cell);
	const char *shown = text ? text : "";
	size_t taken = width(shown), room = table->widths[place];
	bool last = table->lines == 1 && place + 1 == table->places;
	int pad = !last && taken < room ? (int)(room - taken) : 0;
	printf("%s%s%*s%s", bold ? "\033[1m" : "", shown, pad, "", bold ? "\033[0m" : "");
}

static void print_row(const struct table *table, const char *const *cells, bool bold)
{
	bool folded = table->lines > 1;
	for (size_t line = 0; line < table->lines; line++) {
		if (line)
			print_dashes(table);
		fputs(folded ? "│ " : "", stdout);
		for (size_t place = 0; place < table->places; place++) {
			size_t column = place * table->lines + line;
			fputs(!place ? "" : folded ? " ╎ " : " | ", stdout);
			if (column < table->columns)
				print_cell(table, cells[column], place, bold);
			else
				printf("%*s", (int)table->widths[place], "");
		}
		puts(folded ? " │" : "");
	}
}

/* A boolean word: 1 or 0; -1: it is none. */
static int truth(const char *word)
{
	static const char *const yes[] = {"1", "y", "yes", "t", "true", "on"};
	static const char *const no[] = {"0", "n", "no", "f", "false", "off"};
	for (size_t i = 0; word && i < sizeof(yes) / sizeof(*yes); i++)
		if (strcasecmp(word, yes[i]) == 0 || strcasecmp(word, no[i]) == 0)
			return strcasecmp(word, yes[i]) == 0;
	return -1;
}

static size_t terminal_width(void)
{
	struct winsize size;
	long long columns = 0;
	const char *given = getenv("COLUMNS");
	if (!given || options_number(given, 1, 10000, &columns) < 0)
		columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
	columns = columns ? columns : 80;
	return (size_t)(columns < TERMINAL_WIDE ? columns : columns * 9 / 10);
}

/* Fold as little as makes it fit. */
static void fit(struct table *table)
{
	size_t room = terminal_width();
	const size_t tries[] = {1, 2, 3, table->columns};
	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		if (tries[i] <= table->columns)
			fold(table, tries[i], 0);
		if (total(table) <= room)
			return;
	}
}

void table_print(const char *const *heads, size_t columns, const char *const *cells, size_t rows)
{
	struct table table = {.columns = columns, .rows = rows, .heads = heads, .cells = cells};
	int wanted = truth(getenv("GLOBUS_CLI_FOLD_TABLES"));
	if (wanted < 0 ? isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) : wanted)
		fit(&table);
	if (table.lines <= 1)
		fold(&table, 1, WIDTH_MAX);
	bool folded = table.lines > 1;
	if (folded)
		print_rule(&table, &rule_top);
	print_row(&table, heads, wanted != 0 && say_colours_stdout());
	print_rule(&table, folded ? &rule_head : wanted == 0 ? &rule_unfolded : &rule_plain);
	for (size_t i = 0; i < rows; i++) {
		print_row(&table, cells + i * columns, false);
		if (folded && i + 1 < rows)
			print_rule(&table, &rule_row);
	}
	if (folded)
		print_rule(&table, &rule_bottom);
}
