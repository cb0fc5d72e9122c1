/* Conf files: what is taken is written and read again without a change, and checked without harm.
 */

#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "protocol/conf.h"

static void view(const struct conf *conf)
{
	struct conf_view view;
	const char *key = NULL, *why = NULL;
	if (conf_view(conf, &view, &key, &why) < 0) {
		assert(key && why);
		return;
	}
	assert(view.key_len <= sizeof(view.key) && view.mapped_count <= CONF_MAPPED_MAX);
	conf_view_wipe(&view);
}

static void write_again(const struct conf *conf)
{
	struct conf again = {0};
	size_t len, len_again;
	char *text = conf_format(conf, &len);
	assert(text);
	if (conf_parse(&again, text, len) == 0) {
		char *text_again = conf_format(&again, &len_again);
		assert(text_again && len == len_again && memcmp(text, text_again, len) == 0);
		conf_free_text(text_again, len_again);
	} else {
		assert(len > CONF_SIZE_MAX);
	}
	conf_finish(&again);
	conf_free_text(text, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf conf = {0};
	if (conf_parse(&conf, (const char *)data, size) == 0) {
		view(&conf);
		write_again(&conf);
	}
	conf_finish(&conf);
	return 0;
}
