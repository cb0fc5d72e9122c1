/* The shim's question, from a program that asks what it likes. */

#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "protocol/conf.h"
#include "protocol/control.h"
#include "supervisor/base/state.h"
#include "supervisor/tunnel/names.h"
#include "supervisor/tunnel/tunnel.h"

static struct state *state;

static void prepare(void)
{
	static const char id[] = "01234567-89ab-4def-8123-456789abcdef";
	static struct conf_view view = {.secured = true, .fake_port = 2000, .mapped_count = 1};
	state = state_create();
	assert(state);
	strcpy(view.mapped[0].host, "host.example");
	view.mapped[0].port = 443;
	assert(tunnel_add(state, id, "/", &view) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct question question = {0};
	if (!state)
		prepare();
	memcpy(&question, data, size < sizeof(question) ? size : sizeof(question));
	names_answer(state, NULL, &question);
	assert(question.answer <= QUESTION_NO_FAMILY && question.answer != QUESTION_UNANSWERED);
	assert(memchr(question.name, 0, sizeof(question.name)));
	if (question.answer == QUESTION_OURS && question.op == QUESTION_RESOLVE) {
		assert(question.family == 4 || question.family == 6);
		question.op = QUESTION_REVERSE;
		names_answer(state, NULL, &question);
		assert(question.answer == QUESTION_OURS);
	}
	return 0;
}
