#ifndef GS_QUERY_LEXER_H
#define GS_QUERY_LEXER_H

/* The tokens of a JMESPath expression. */

#include <cjson/cJSON.h>
#include <stddef.h>

#include "cli/base/failure.h"

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,   /* an identifier; text */
	TOKEN_QUOTED, /* the same in double quotes */
	TOKEN_LITERAL,
	TOKEN_NUMBER, /* an integer, for indices and slices */
	TOKEN_DOT,
	TOKEN_STAR,
	TOKEN_COMMA,
	TOKEN_COLON,
	TOKEN_CURRENT, /* @ */
	TOKEN_EXPREF,  /* & */
	TOKEN_OPEN,    /* ( */
	TOKEN_CLOSE,
	TOKEN_BRACE, /* { */
	TOKEN_BRACE_CLOSE,
	TOKEN_BRACKET, /* [ */
	TOKEN_BRACKET_CLOSE,
	TOKEN_FLATTEN, /* [] */
	TOKEN_FILTER,  /* [? */
	TOKEN_PIPE,
	TOKEN_OR,
	TOKEN_AND,
	TOKEN_NOT,
	TOKEN_EQ, /* those that compare follow each other */
	TOKEN_NE,
	TOKEN_LT,
	TOKEN_LE,
	TOKEN_GT,
	TOKEN_GE,
};

struct token {
	enum token_kind kind;
	size_t at, len; /* in the expression */
	char *text;     /* TOKEN_NAME, TOKEN_QUOTED: the identifier */
	cJSON *literal;
	long long number;
};

struct lexer {
	const char *expression;
	struct token *tokens; /* the last one is TOKEN_END */
	size_t count, room;
};

/* Cut expression, which must stay, into tokens. 0, or -1 with failure; lexer_finish() both. */
int lexer_run(struct lexer *lexer, const char *expression, struct failure *failure);
void lexer_finish(struct lexer *lexer);

/* failure: the expression is wrong at a place (bytes from its begin). Always -1. */
int lexer_refuse(const struct lexer *lexer, size_t at, const char *why, struct failure *failure);

#endif
