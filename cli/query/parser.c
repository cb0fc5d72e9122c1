/*
 * A parser by binding power (Pratt). Each token that can begin an expression has a case in begin(),
 * each that can go on with one a case in go_on(). The powers are those of the implementations that
 * people use, in which a projection ends at whatever binds less than PROJECTION_STOP.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/base/text.h"
#include "cli/query/function.h"
#include "cli/query/node.h"
#include "cli/query/query.h"

#define PROJECTION_STOP 10

static int power(enum token_kind kind)
{
	switch (kind) {
	case TOKEN_PIPE:
		return 1;
	case TOKEN_OR:
		return 2;
	case TOKEN_AND:
		return 3;
	case TOKEN_EQ:
	case TOKEN_NE:
	case TOKEN_LT:
	case TOKEN_LE:
	case TOKEN_GT:
	case TOKEN_GE:
		return 5;
	case TOKEN_FLATTEN:
		return 9;
	case TOKEN_STAR:
		return 20;
	case TOKEN_FILTER:
		return 21;
	case TOKEN_DOT:
		return 40;
	case TOKEN_NOT:
		return 45;
	case TOKEN_BRACE:
		return 50;
	case TOKEN_BRACKET:
		return 55;
	case TOKEN_OPEN:
		return 60;
	default:
		return 0;
	}
}

static struct node *expression(struct parser *parser, int least);
static struct node *select_list(struct parser *parser);
static struct node *select_hash(struct parser *parser);

static const struct token *peek(const struct parser *parser)
{
	return &parser->lexer->tokens[parser->at];
}

static bool is(const struct parser *parser, enum token_kind kind)
{
	return peek(parser)->kind == kind;
}

/* Whether the token after the next one is of that kind. */
static bool is_second(const struct parser *parser, enum token_kind kind)
{
	return !is(parser, TOKEN_END) && peek(parser)[1].kind == kind;
}

static const struct token *step(struct parser *parser)
{
	const struct token *token = peek(parser);
	parser->at += token->kind != TOKEN_END;
	return token;
}

static struct node *refuse(struct parser *parser, const char *why)
{
	lexer_refuse(parser->lexer, peek(parser)->at, why, parser->failure);
	return NULL;
}

static bool expect(struct parser *parser, enum token_kind kind, const char *why)
{
	if (!is(parser, kind)) {
		refuse(parser, why);
		return false;
	}
	step(parser);
	return true;
}

static struct node *make(struct parser *parser, enum node_kind kind, struct node *left,
			 struct node *right)
{
	struct node *node = calloc(1, sizeof(*node));
	if (!node) {
		failure_memory(parser->failure);
		return NULL;
	}
	node->kind = kind;
	node->left = left;
	node->right = right;
	node->older = parser->made;
	parser->made = node;
	return node;
}

/* The same, where what it is made of may have failed. */
static struct node *join(struct parser *parser, enum node_kind kind, struct node *left,
			 struct node *right)
{
	return left && right ? make(parser, kind, left, right) : NULL;
}

static void append(struct node *list, struct node *item)
{
	if (list->last)
		list->last->next = item;
	else
		list->items = item;
	list->last = item;
}

/* What may follow a dot. */
static struct node *after_dot(struct parser *parser, int least)
{
	if (is(parser, TOKEN_NAME) || is(parser, TOKEN_QUOTED) || is(parser, TOKEN_STAR))
		return expression(parser, least);
	if (is(parser, TOKEN_BRACKET)) {
		step(parser);
		return select_list(parser);
	}
	if (is(parser, TOKEN_BRACE)) {
		step(parser);
		return select_hash(parser);
	}
	return refuse(parser, "a name, *, [ or { is expected after a dot");
}

/* What is done with each element of a projection. */
static struct node *projected(struct parser *parser, int least)
{
	if (power(peek(parser)->kind) < PROJECTION_STOP)
		return make(parser, NODE_CURRENT, NULL, NULL);
	if (is(parser, TOKEN_BRACKET) || is(parser, TOKEN_FILTER))
		return expression(parser, least);
	if (is(parser, TOKEN_DOT)) {
		step(parser);
		return after_dot(parser, least);
	}
	return refuse(parser, "unexpected here");
}

static struct node *project(struct parser *parser, enum node_kind kind, struct node *left,
			    int least)
{
	return left ? join(parser, kind, left, projected(parser, least)) : NULL;
}

/* The rest of [start:end:step]. */
static struct node *slice(struct parser *parser)
{
	struct node *node = make(parser, NODE_SLICE, NULL, NULL);
	int part = 0;
	if (!node)
		return NULL;
	node->step = 1;
	for (bool number_before = false; !is(parser, TOKEN_BRACKET_CLOSE);) {
		bool number = is(parser, TOKEN_NUMBER);
		if ((number && number_before) || (!number && !is(parser, TOKEN_COLON)) ||
		    (!number && part == 2))
			return refuse(parser, "a slice is written [START:END:STEP]");
		number_before = number;
		if (!number) {
			part++;
		} else if (part == 0) {
			node->number = peek(parser)->number;
			node->has_start = true;
		} else if (part == 1) {
			node->end = peek(parser)->number;
			node->has_end = true;
		} else {
			node->step = peek(parser)->number;
			if (!node->step)
				return refuse(parser, "the step of a slice cannot be 0");
		}
		step(parser);
	}
	step(parser);
	return node;
}

/* The rest of [0] or [1:2], at their number or colon, for what left gives. */
static struct node *index_or_slice(struct parser *parser, struct node *left)
{
	if (is(parser, TOKEN_COLON) || is_second(parser, TOKEN_COLON)) {
		struct node *whole = join(parser, NODE_THEN, left, slice(parser));
		return project(parser, NODE_PROJECT, whole, power(TOKEN_STAR));
	}
	struct node *node = make(parser, NODE_INDEX, NULL, NULL);
	if (!node)
		return NULL;
	node->number = step(parser)->number;
	if (!expect(parser, TOKEN_BRACKET_CLOSE, "] is expected after an index"))
		return NULL;
	return join(parser, NODE_THEN, left, node);
}

/* The rest of [? condition ]. */
static struct node *filter(struct parser *parser, struct node *left)
{
	struct node *condition = expression(parser, 0);
	if (!condition || !expect(parser, TOKEN_BRACKET_CLOSE, "] is expected after a filter"))
		return NULL;
	struct node *right = is(parser, TOKEN_FLATTEN) ? make(parser, NODE_CURRENT, NULL, NULL)
						       : projected(parser, power(TOKEN_FILTER));
	struct node *node = join(parser, NODE_FILTER, left, right);
	if (node)
		node->condition = condition;
	return node;
}

/* The rest of [a, b]. */
static struct node *select_list(struct parser *parser)
{
	struct node *list = make(parser, NODE_LIST, NULL, NULL);
	while (list) {
		struct node *value = expression(parser, 0);
		struct node *item = value ? make(parser, NODE_MEMBER, value, NULL) : NULL;
		if (!item)
			return NULL;
		append(list, item);
		if (!is(parser, TOKEN_COMMA))
			break;
		step(parser);
	}
	return list && expect(parser, TOKEN_BRACKET_CLOSE, "a comma or ] is expected") ? list
										       : NULL;
}

/* The rest of {a: b, c: d}. */
static struct node *select_hash(struct parser *parser)
{
	struct node *hash = make(parser, NODE_HASH, NULL, NULL);
	while (hash) {
		if (!is(parser, TOKEN_NAME) && !is(parser, TOKEN_QUOTED))
			return refuse(parser, "a name is expected");
		const char *name = step(parser)->text;
		if (!expect(parser, TOKEN_COLON, "a colon is expected after a name"))
			return NULL;
		struct node *value = expression(parser, 0);
		struct node *item = value ? make(parser, NODE_MEMBER, value, NULL) : NULL;
		if (!item)
			return NULL;
		item->text = name;
		append(hash, item);
		if (!is(parser, TOKEN_COMMA))
			break;
		step(parser);
	}
	return hash && expect(parser, TOKEN_BRACE_CLOSE, "a comma or } is expected") ? hash : NULL;
}

static struct node *argument(struct parser *parser)
{
	bool reference = is(parser, TOKEN_EXPREF);
	if (reference)
		step(parser);
	struct node *value = expression(parser, 0);
	return value ? make(parser, reference ? NODE_EXPREF : NODE_MEMBER, value, NULL) : NULL;
}

/* NAME (, at what follows: the arguments. */
static struct node *call(struct parser *parser, const char *name)
{
	struct node *node = make(parser, NODE_CALL, NULL, NULL);
	if (!node)
		return NULL;
	node->function = function_find(name);
	if (!node->function) {
		failure_set(parser->failure, STATUS_USAGE,
			    "JMESPath function '" TEXT_WORD "' is not supported; see "
			    "globus-streams(1) for those that are",
			    name);
		return NULL;
	}
	bool more = !is(parser, TOKEN_CLOSE);
	while (more) {
		struct node *item = argument(parser);
		if (!item)
			return NULL;
		append(node, item);
		more = is(parser, TOKEN_COMMA);
		if (more)
			step(parser);
	}
	if (!expect(parser, TOKEN_CLOSE, "a comma or ) is expected") ||
	    function_check(node, parser->failure) < 0)
		return NULL;
	return node;
}

static struct node *name(struct parser *parser, const struct token *token)
{
	if (is(parser, TOKEN_OPEN) && token->kind == TOKEN_NAME) {
		step(parser);
		return call(parser, token->text);
	}
	struct node *node = make(parser, NODE_FIELD, NULL, NULL);
	if (node)
		node->text = token->text;
	return node;
}

static struct node *literal(struct parser *parser, const struct token *token)
{
	struct node *node = make(parser, NODE_LITERAL, NULL, NULL);
	if (node)
		node->literal = token->literal;
	return node;
}

/* [ at the begin of an expression. */
static struct node *bracket(struct parser *parser)
{
	struct node *current = make(parser, NODE_CURRENT, NULL, NULL);
	if (!current)
		return NULL;
	if (is(parser, TOKEN_NUMBER) || is(parser, TOKEN_COLON))
		return index_or_slice(parser, current);
	if (!is(parser, TOKEN_STAR) || !is_second(parser, TOKEN_BRACKET_CLOSE))
		return select_list(parser);
	step(parser);
	step(parser);
	return project(parser, NODE_PROJECT, current, power(TOKEN_STAR));
}

static struct node *star(struct parser *parser)
{
	struct node *current = make(parser, NODE_CURRENT, NULL, NULL);
	return project(parser, NODE_VALUES, current, power(TOKEN_STAR));
}

static struct node *flatten(struct parser *parser, struct node *left)
{
	struct node *flat = left ? make(parser, NODE_FLATTEN, left, NULL) : NULL;
	return project(parser, NODE_PROJECT, flat, power(TOKEN_FLATTEN));
}

static struct node *parentheses(struct parser *parser)
{
	struct node *inner = expression(parser, 0);
	return inner && expect(parser, TOKEN_CLOSE, ") is expected") ? inner : NULL;
}

static struct node *begin(struct parser *parser)
{
	const struct token *token = step(parser);
	struct node *node;
	switch (token->kind) {
	case TOKEN_NAME:
	case TOKEN_QUOTED:
		return name(parser, token);
	case TOKEN_LITERAL:
		return literal(parser, token);
	case TOKEN_CURRENT:
		return make(parser, NODE_CURRENT, NULL, NULL);
	case TOKEN_STAR:
		return star(parser);
	case TOKEN_FILTER:
		node = make(parser, NODE_CURRENT, NULL, NULL);
		return node ? filter(parser, node) : NULL;
	case TOKEN_FLATTEN:
		return flatten(parser, make(parser, NODE_CURRENT, NULL, NULL));
	case TOKEN_BRACE:
		return select_hash(parser);
	case TOKEN_BRACKET:
		return bracket(parser);
	case TOKEN_OPEN:
		return parentheses(parser);
	case TOKEN_NOT:
		node = expression(parser, power(TOKEN_NOT));
		return node ? make(parser, NODE_NOT, node, NULL) : NULL;
	default:
		lexer_refuse(parser->lexer, token->at,
			     token->kind == TOKEN_EXPREF
				     ? "& is only allowed before an argument of a function"
				     : "an expression is expected",
			     parser->failure);
		return NULL;
	}
}

/* . at what follows it. */
static struct node *dot(struct parser *parser, struct node *left)
{
	if (!is(parser, TOKEN_STAR))
		return join(parser, NODE_THEN, left, after_dot(parser, power(TOKEN_DOT)));
	step(parser);
	return project(parser, NODE_VALUES, left, power(TOKEN_DOT));
}

/* [ behind an expression. */
static struct node *bracket_of(struct parser *parser, struct node *left)
{
	if (is(parser, TOKEN_NUMBER) || is(parser, TOKEN_COLON))
		return index_or_slice(parser, left);
	if (!expect(parser, TOKEN_STAR, "a number, : or * is expected after [") ||
	    !expect(parser, TOKEN_BRACKET_CLOSE, "] is expected after *"))
		return NULL;
	return project(parser, NODE_PROJECT, left, power(TOKEN_STAR));
}

static struct node *compare(struct parser *parser, struct node *left, enum token_kind kind)
{
	struct node *node = join(parser, NODE_COMPARE, left, expression(parser, power(kind)));
	if (node)
		node->compare = kind;
	return node;
}

static struct node *go_on(struct parser *parser, struct node *left)
{
	enum token_kind kind = peek(parser)->kind;
	if (kind == TOKEN_STAR || kind == TOKEN_NOT || kind == TOKEN_BRACE || kind == TOKEN_OPEN)
		return refuse(parser, "unexpected here");
	step(parser);
	switch (kind) {
	case TOKEN_DOT:
		return dot(parser, left);
	case TOKEN_BRACKET:
		return bracket_of(parser, left);
	case TOKEN_FILTER:
		return filter(parser, left);
	case TOKEN_FLATTEN:
		return flatten(parser, left);
	case TOKEN_PIPE:
		return join(parser, NODE_THEN, left, expression(parser, power(kind)));
	case TOKEN_OR:
		return join(parser, NODE_OR, left, expression(parser, power(kind)));
	case TOKEN_AND:
		return join(parser, NODE_AND, left, expression(parser, power(kind)));
	default:
		return compare(parser, left, kind);
	}
}

/* An expression up to what binds as little as least, or less. */
static struct node *expression(struct parser *parser, int least)
{
	if (parser->depth == QUERY_DEPTH_MAX)
		return refuse(parser, "nested too deeply");
	parser->depth++;
	struct node *node = begin(parser);
	while (node && power(peek(parser)->kind) > least)
		node = go_on(parser, node);
	parser->depth--;
	return node;
}

struct node *parser_run(struct parser *parser, const struct lexer *lexer, struct failure *failure)
{
	*parser = (struct parser){.lexer = lexer, .failure = failure};
	struct node *node = expression(parser, 0);
	if (node && !is(parser, TOKEN_END))
		return refuse(parser, "unexpected here");
	return node;
}

void parser_finish(struct parser *parser)
{
	while (parser->made) {
		struct node *older = parser->made->older;
		free(parser->made);
		parser->made = older;
	}
}
