/* replay FOLDER: every file in it goes through the target, and every beginning of it: cut where it
 * hurts. Says how many there were, as TAP. */

#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST     (256 * 1024)
#define PREFIXES 512 /* of a long file, every so-manyth */

/* In memory of its own, so that a sanitizer sees what reads past the end. */
static void try(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + !size);
	assert(copy);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay(const char *folder, const char *name)
{
	static uint8_t data[MOST];
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "rb");
	assert(file);
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	size_t step = size / PREFIXES + 1;
	for (size_t part = 0; part < size; part += step)
		try(data, part);
	try(data, size);
}

int main(int argc, char **argv)
{
	int count = 0;
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	if (!folder) {
		fputs("usage: replay FOLDER\n", stderr);
		return 2;
	}
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		replay(argv[1], entry->d_name);
		printf("ok %d - %s\n", ++count, entry->d_name);
	}
	closedir(folder);
	printf("1..%d\n", count);
	return count == 0;
}
