#include "cli/run/run_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/base/cleanup.h"

#define SHIM       "libglobus_streams_shim.so"
#define SEPARATORS ": \t\n" /* of LD_PRELOAD: glibc's and musl's */

char *run_beside(const char *relative)
{
	char own[4096];
	char *path = NULL, *whole = NULL;
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	if (len <= 0)
		return NULL;
	own[len] = '\0';
	char *slash = strrchr(own, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	if (asprintf(&path, "%s/%s", own, relative) < 0)
		return NULL;
	whole = realpath(path, NULL);
	free(path);
	return whole;
}

/* Why the dynamic loader would not load it; NULL: it would. */
static const char *shim_fault(const char *shim)
{
	struct statvfs stat;
	if (!shim)
		return "is not installed with this program";
	if (strpbrk(shim, SEPARATORS))
		return "has a colon or a space in its path, which LD_PRELOAD does not allow";
	if (access(shim, R_OK) < 0)
		return "cannot be read";
	if (statvfs(shim, &stat) == 0 && stat.f_flag & ST_NOEXEC)
		return "is on a file system that is mounted noexec";
	return NULL;
}

/* Programs that do not resolve the names would connect to the real hosts, unencrypted. */
int run_find_shim(const struct run_options *options, bool inside, const char **found)
{
	const char *preload = getenv("LD_PRELOAD");
	if (options->no_shim) {
		if (!options->hosts)
			run_error("--no-shim: dynamic programs cannot resolve the tunnels' names, "
				  "and bypass the tunnels to mapped hosts");
		return 0;
	}
	char *shim = run_beside("../shim/" SHIM);
	if (!shim)
		shim = run_beside(GS_SHIMDIR_FROM_BINDIR "/" SHIM);
	const char *fault = shim_fault(shim);
	if (!fault)
		*found = shim;
	if (!fault || (inside && preload && strstr(preload, SHIM)))
		return 0;
	const char *what = shim ? shim : SHIM;
	if (options->hosts) {
		run_error("%s %s: programs find the tunnels' names only in /etc/hosts", what,
			  fault);
		return 0;
	}
	run_error("%s %s: dynamic programs could not resolve the tunnels' names; %s, or add "
		  "--hosts, or --no-shim to do without the names",
		  what, fault,
		  strpbrk(what, SEPARATORS) ? "move the programs to another folder"
					    : "reinstall the package");
	return 1;
}
