#ifndef GS_TESTS_FUZZ_H
#define GS_TESTS_FUZZ_H

/* One target a file, for whatever reads what others wrote: libFuzzer calls it, and so does
 * replay.c, which any compiler builds. What must hold is asserted: NDEBUG is never set here. */

#undef NDEBUG
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes taken off the front of the input, as long as there are any; then zeros. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

/* At most want bytes: where they are, and how many. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *input, size_t want, size_t *got)
{
	const uint8_t *at = input->data;
	*got = want < input->size ? want : input->size;
	input->data += *got;
	input->size -= *got;
	return at;
}

#endif
