#include "cli/query/lexer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/text.h"
#include "cli/query/number.h"

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

int lexer_refuse(const struct lexer *lexer, size_t at, const char *why, struct failure *failure)
{
	if (!lexer->expression[at])
		return failure_set(failure, STATUS_USAGE,
				   "incomplete JMESPath expression '" TEXT_WORD "': at its end, %s",
				   lexer->expression, why);
	return failure_set(failure, STATUS_USAGE,
			   "invalid JMESPath expression '" TEXT_WORD
			   "' at character %zu ('%.20s'): %s",
			   lexer->expression, at + 1, lexer->expression + at, why);
}

static struct token *push(struct lexer *lexer, enum token_kind kind, size_t at, size_t len)
{
	if (lexer->count == lexer->room) {
		size_t room = lexer->room ? 2 * lexer->room : 64;
		struct token *tokens = realloc(lexer->tokens, room * sizeof(*tokens));
		if (!tokens)
			return NULL;
		lexer->tokens = tokens;
		lexer->room = room;
	}
	struct token *token = &lexer->tokens[lexer->count++];
	*token = (struct token){.kind = kind, .at = at, .len = len};
	return token;
}

/* The length of what stands between two of quote, the first of which is at text; a backslash keeps
 * what follows it from ending it. -1: it does not end. */
static long quoted(const char *text)
{
	char quote = *text++;
	long len = 0;
	for (; text[len] != quote; len++) {
		if (text[len] == '\\')
			len++;
		if (!text[len])
			return -1;
	}
	return len;
}

/* A copy of text in which \quote has become quote. */
static char *unescaped(const char *text, size_t len, char quote)
{
	char *copy = malloc(len + 1), *to = copy;
	for (size_t i = 0; copy && i < len; i++) {
		if (text[i] == '\\' && i + 1 < len && text[i + 1] == quote)
			i++;
		*to++ = text[i];
	}
	if (copy)
		*to = '\0';
	return copy;
}

static cJSON *parse_json(const char *text)
{
	const char *end = NULL, *at = text + strspn(text, " \t\r\n");
	/* cJSON takes 01 and 1.x for numbers. */
	if ((*at == '-' || strchr(DIGITS, *at)) && *at && !number_is_json(at))
		return NULL;
	cJSON *value = cJSON_ParseWithOpts(text, &end, 0);
	if (value && end[strspn(end, " \t\r\n")]) {
		cJSON_Delete(value);
		return NULL;
	}
	return value;
}

/* JSON between backticks; what is no JSON is a string without its quotes, as in old expressions. */
static cJSON *parse_literal(const char *text)
{
	cleanup_free char *string = NULL;
	cJSON *value = parse_json(text);
	if (!value && asprintf(&string, "\"%s\"", text + strspn(text, " \t\r\n")) >= 0)
		value = parse_json(string);
	return value;
}

/* Whether each \\uXXXX is whole and no NUL, which our texts cannot hold. */
static bool has_sound_escapes(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] != '\\')
			continue;
		if (text[++i] == 'u' && (strspn(text + i + 1, DIGITS "abcdefABCDEF") < 4 ||
					 strncmp(text + i + 1, "0000", 4) == 0))
			return false;
	}
	return true;
}

static int take_quoted(struct lexer *lexer, size_t at, struct failure *failure)
{
	const char *from = lexer->expression + at;
	long len = quoted(from);
	if (len < 0)
		return lexer_refuse(lexer, at, "the closing quote is missing", failure);
	if (*from != '\'' && !has_sound_escapes(from + 1, (size_t)len))
		return lexer_refuse(lexer, at, "it has a \\u that is not complete, or a NUL",
				    failure);
	struct token *token =
		push(lexer, *from == '"' ? TOKEN_QUOTED : TOKEN_LITERAL, at, (size_t)len + 2);
	cleanup_free char *inner = token ? unescaped(from + 1, (size_t)len, *from) : NULL;
	if (!inner)
		return failure_memory(failure);
	if (*from == '\'') {
		token->literal = cJSON_CreateString(inner);
	} else if (*from == '`') {
		token->literal = parse_literal(inner);
	} else {
		cleanup_free char *whole = strndup(from, (size_t)len + 2);
		cJSON *name = whole ? parse_json(whole) : NULL;
		const char *text = cJSON_GetStringValue(name);
		token->text = text ? strdup(text) : NULL;
		cJSON_Delete(name);
	}
	if (!token->literal && !token->text)
		return lexer_refuse(lexer, at, "not valid JSON", failure);
	return 0;
}

static int take_number(struct lexer *lexer, size_t at, struct failure *failure)
{
	const char *from = lexer->expression + at;
	size_t sign = *from == '-', digits = strspn(from + sign, DIGITS);
	if (!digits)
		return lexer_refuse(lexer, at, "a digit is expected after it", failure);
	struct token *token = push(lexer, TOKEN_NUMBER, at, sign + digits);
	if (!token)
		return failure_memory(failure);
	token->number = strtoll(from, NULL, 10); /* beyond its range: the nearest */
	return 0;
}

static int take_name(struct lexer *lexer, size_t at, struct failure *failure)
{
	const char *from = lexer->expression + at;
	size_t len = strspn(from, LETTERS DIGITS);
	struct token *token = push(lexer, TOKEN_NAME, at, len);
	if (!token || !(token->text = strndup(from, len)))
		return failure_memory(failure);
	return 0;
}

/* Signs, the longer before the shorter. */
static const struct {
	const char *text;
	enum token_kind kind;
} signs[] = {
	{"[]", TOKEN_FLATTEN}, {"[?", TOKEN_FILTER},
	{"||", TOKEN_OR},      {"&&", TOKEN_AND},
	{"==", TOKEN_EQ},      {"!=", TOKEN_NE},
	{"<=", TOKEN_LE},      {">=", TOKEN_GE},
	{".", TOKEN_DOT},      {"*", TOKEN_STAR},
	{",", TOKEN_COMMA},    {":", TOKEN_COLON},
	{"@", TOKEN_CURRENT},  {"&", TOKEN_EXPREF},
	{"(", TOKEN_OPEN},     {")", TOKEN_CLOSE},
	{"{", TOKEN_BRACE},    {"}", TOKEN_BRACE_CLOSE},
	{"[", TOKEN_BRACKET},  {"]", TOKEN_BRACKET_CLOSE},
	{"|", TOKEN_PIPE},     {"!", TOKEN_NOT},
	{"<", TOKEN_LT},       {">", TOKEN_GT},
};

static int take_sign(struct lexer *lexer, size_t at, struct failure *failure)
{
	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		size_t len = strlen(signs[i].text);
		if (strncmp(lexer->expression + at, signs[i].text, len) == 0)
			return push(lexer, signs[i].kind, at, len) ? 0 : failure_memory(failure);
	}
	return lexer_refuse(lexer, at, "unexpected character", failure);
}

static int take(struct lexer *lexer, size_t at, struct failure *failure)
{
	char first = lexer->expression[at];
	if (strchr(LETTERS, first))
		return take_name(lexer, at, failure);
	if (strchr(DIGITS "-", first))
		return take_number(lexer, at, failure);
	if (strchr("\"'`", first))
		return take_quoted(lexer, at, failure);
	return take_sign(lexer, at, failure);
}

int lexer_run(struct lexer *lexer, const char *expression, struct failure *failure)
{
	size_t at = 0;
	*lexer = (struct lexer){.expression = expression};
	for (;;) {
		at += strspn(expression + at, " \t\r\n");
		if (!expression[at])
			return push(lexer, TOKEN_END, at, 0) ? 0 : failure_memory(failure);
		if (take(lexer, at, failure) < 0)
			return -1;
		at += lexer->tokens[lexer->count - 1].len;
	}
}

void lexer_finish(struct lexer *lexer)
{
	for (size_t i = 0; i < lexer->count; i++) {
		free(lexer->tokens[i].text);
		cJSON_Delete(lexer->tokens[i].literal);
	}
	free(lexer->tokens);
	*lexer = (struct lexer){0};
}
