#ifndef GS_QUERY_NODE_H
#define GS_QUERY_NODE_H

/* An expression as a tree. */

#include <stdbool.h>
#include <stddef.h>

#include "cli/query/lexer.h"

struct function;

enum node_kind {
	NODE_CURRENT,
	NODE_FIELD, /* text */
	NODE_LITERAL,
	NODE_INDEX,
	NODE_SLICE,
	NODE_THEN,    /* left, and with what it gives right: a.b, a[0], a | b */
	NODE_FLATTEN, /* left */
	NODE_PROJECT, /* right for each element of left */
	NODE_VALUES,  /* right for each value of left, an object */
	NODE_FILTER,  /* right for each element of left that meets condition */
	NODE_COMPARE, /* left, right; compare: a TOKEN_EQ … TOKEN_GE */
	NODE_OR,
	NODE_AND,
	NODE_NOT,    /* left */
	NODE_LIST,   /* items */
	NODE_HASH,   /* items, each with its name in text */
	NODE_MEMBER, /* one of these: left */
	NODE_CALL,   /* function with items */
	NODE_EXPREF, /* an argument that is an expression: left */
};

struct node {
	enum node_kind kind;
	struct node *left, *right, *condition;
	struct node *items, *last; /* the first and the last; they follow each other by next */
	struct node *next;
	const char *text; /* the lexer's */
	const cJSON *literal;
	enum token_kind compare;
	const struct function *function;
	long long number, end, step; /* index; or slice, with number its start */
	bool has_start, has_end;
	struct node *older; /* all nodes, for their end */
};

struct parser {
	const struct lexer *lexer;
	size_t at;         /* the next token */
	unsigned depth;    /* how many are within each other */
	struct node *made; /* the one made last */
	struct failure *failure;
};

/* The tree of all tokens. NULL with failure. parser_finish() in any case, which frees the tree. */
struct node *parser_run(struct parser *parser, const struct lexer *lexer, struct failure *failure);
void parser_finish(struct parser *parser);

#endif
