/* replay FILE: every input in it goes through the target, and every beginning of it: cut where it
 * hurts. A line of the file is a name, a space, and the input in hexadecimal digits. Says how it
 * went, as TAP. */

#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIXES 512 /* of a long input, every so-manyth */

/* In memory of its own, so that a sanitizer sees what reads past the end. */
static void try(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + !size);
	assert(copy);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay(const uint8_t *data, size_t size)
{
	size_t step = size / PREFIXES + 1;
	for (size_t part = 0; part < size; part += step)
		try(data, part);
	try(data, size);
}

/* The digits become bytes in their place: how many. */
static size_t from_hex(char *text)
{
	size_t size = 0;
	unsigned byte;
	for (; sscanf(text + 2 * size, "%2x", &byte) == 1; size++)
		text[size] = (char)byte;
	return size;
}

int main(int argc, char **argv)
{
	int count = 0;
	char *line = NULL;
	size_t room = 0;
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!file) {
		fputs("usage: replay FILE\n", stderr);
		return 2;
	}
	while (getline(&line, &room, file) > 0) {
		char *digits = strchr(line, ' ');
		assert(digits);
		*digits++ = '\0';
		replay((uint8_t *)digits, from_hex(digits));
		printf("ok %d - %s\n", ++count, line);
		fflush(stdout);
	}
	free(line);
	fclose(file);
	printf("1..%d\n", count);
	return count == 0;
}
