/* The gateway's state file: what is read out of any text is written so that it is read as the same
 * again. */

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/state/store_json.h"

/* NULL: it is no such text. */
static char *read_and_write(const char *text)
{
	struct store store;
	memset(&store, 0, sizeof(store));
	char *written = store_parse(&store, text) == 0 ? store_format(&store) : NULL;
	store_finish(&store);
	return written;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	char *once = read_and_write(text);
	if (once) {
		char *twice = read_and_write(once);
		assert(twice && strcmp(once, twice) == 0);
		store_free_text(twice);
		store_free_text(once);
	}
	free(text);
	return 0;
}
