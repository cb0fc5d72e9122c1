#ifndef GS_PROFILE_H
#define GS_PROFILE_H

/* Profiles: named sets of tokens, each with its own remembered client id. NULL stands for the
 * default profile, which has no name. Conf files belong to no profile. */

#include "cli/base/failure.h"

#define PROFILE_NAME_MAX 64

/* Whether name can be a profile's: 1 to PROFILE_NAME_MAX of A-Z a-z 0-9 . _ -, the first no dot.
 * 0, or -1 with failure (wrong usage). source: what named it, "--profile". */
int profile_check(const char *name, const char *source, struct failure *failure);

/* The path of a file of the profile: in the folder that conf_file_base(NULL) names, or for a named
 * profile in profiles/NAME below it. *folder: the folder it is in, unless NULL. Free both. NULL
 * with failure. */
char *profile_path(const char *profile, const char *file, char **folder, struct failure *failure);

#endif
