#include "cli/base/place.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"

char *place_beside_us(const char *relative)
{
	char own[PATH_MAX];
	cleanup_free char *path = NULL;
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash = len > 0 ? memrchr(own, '/', (size_t)len) : NULL;
	if (!slash || asprintf(&path, "%.*s/%s", (int)(slash - own), own, relative) < 0) {
		path = NULL;
		return NULL;
	}
	return realpath(path, NULL);
}
