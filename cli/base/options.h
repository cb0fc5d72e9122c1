#ifndef GS_OPTIONS_H
#define GS_OPTIONS_H

/*
 * Options are rows of a table, which says how each is written, what it means, and where its value
 * goes: a field of the caller's struct. The same table prints the help.
 *
 *     struct values { bool force; long long ttl; const char *dir; };
 *     static const struct option_spec specs[] = {
 *             {'f', "force", NULL, "overwrite", OPTION_FLAG, offsetof(struct values, force)},
 *             {0, "cs-ttl", "SECONDS", "…", OPTION_NUMBER, offsetof(struct values, ttl), 0, 3600},
 *             {0, "base-dir", "DIR", "…", OPTION_TEXT, offsetof(struct values, dir)},
 *             {0},
 *     };
 *
 * Written as usual: -f, -fx (bundled), -x VALUE, -xVALUE, --name VALUE, --name=VALUE; "--" ends
 * them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define OPTION_LIST_MAX 16

enum option_kind {
	OPTION_FLAG,   /* bool: set to true */
	OPTION_TEXT,   /* const char *: points into argv; the last one given counts */
	OPTION_NUMBER, /* long long, low to high */
	OPTION_LIST,   /* struct option_list: may be given several times */
	OPTION_MAYBE,  /* struct option_maybe: --name or --name=NUMBER, low to high */
};

struct option_list {
	const char *items[OPTION_LIST_MAX];
	size_t count;
};

struct option_maybe {
	bool given;
	long long value; /* left alone when none is given */
};

struct option_spec {
	char letter;         /* 0: none */
	const char *name;    /* without "--"; NULL: none */
	const char *metavar; /* NULL: takes no value */
	const char *help;    /* NULL: another name of the row before, whose line shows it */
	enum option_kind kind;
	size_t offset;
	long long low, high; /* OPTION_NUMBER, OPTION_MAYBE */
};

/* A table, ended by a row without letter and name, and the struct that takes its values. */
struct option_set {
	const struct option_spec *specs;
	void *values;
};

/* Parse argv[0..argc-1] (the program's name left out) by sets, ended by one without specs. The
 * words that are no options are moved to the front of argv, and *words counts them. stop_at_word:
 * the first word ends the options (a command follows), and *dashes, if not NULL: whether "--"
 * came before the words. 0, or -EINVAL with *why, a sentence to be freed (NULL: no memory). */
int options_parse(const struct option_set *sets, bool stop_at_word, int argc, char **argv,
		  int *words, bool *dashes, char **why);

/* Print the rows of a table for --help: at most 80 columns, one or two lines each. */
void options_print(const struct option_spec *specs, FILE *out);

/* Print text from column indent on (where the cursor is), in lines of at most 80 columns. */
void options_wrap(const char *text, int indent, FILE *out);

/* A number, all of text, between low and high: 0 or -EINVAL. */
int options_number(const char *text, long long low, long long high, long long *number);

#endif
