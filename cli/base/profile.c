#include "cli/base/profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/conf_file.h"
#include "cli/base/text.h"

#define FOLDER "/profiles/"

int profile_check(const char *name, const char *source, struct failure *failure)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "._-";
	size_t len = strlen(name);
	if (len > 0 && len <= PROFILE_NAME_MAX && *name != '.' && strspn(name, plain) == len)
		return 0;
	return failure_set(failure, STATUS_USAGE,
			   "%s is '" TEXT_WORD "', which is not the name of a profile; use 1 to %d "
			   "letters, digits, '.', '_' and '-', without a '.' at the beginning",
			   source, name, PROFILE_NAME_MAX);
}

char *profile_path(const char *profile, const char *file, char **folder, struct failure *failure)
{
	cleanup_free char *base = NULL, *in = NULL;
	char *path = NULL;
	/* --profile was checked when it was read */
	if (profile && profile_check(profile, "GLOBUS_PROFILE", failure) < 0)
		return NULL;
	base = conf_file_base(NULL);
	if (!base) {
		failure_set(failure, STATUS_FAILED, "cannot find the home folder: %s; set HOME",
			    strerror(errno));
		return NULL;
	}
	if (asprintf(&in, "%s%s%s", base, profile ? FOLDER : "", profile ? profile : "") < 0)
		in = NULL;
	if (!in || asprintf(&path, "%s/%s", in, file) < 0) {
		failure_memory(failure);
		return NULL;
	}
	if (folder)
		*folder = steal_pointer(in);
	return path;
}
