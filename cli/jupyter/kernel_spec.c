#include "cli/jupyter/kernel_spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/text.h"
#include "cli/service/json.h"

#define LARGEST (64 * 1024)

/* A path, or NULL: no memory, or the variable is not set. */
static char *under(const char *variable, const char *tail)
{
	const char *folder = getenv(variable);
	char *path = NULL;
	if (!folder || !*folder || asprintf(&path, "%s%s", folder, tail) < 0)
		return NULL;
	return path;
}

static char *own_data(void)
{
	char *path = under("JUPYTER_DATA_DIR", "");
	if (!path)
		path = under("XDG_DATA_HOME", "/jupyter");
	cleanup_free char *home = path ? NULL : file_home();
	if (!path && home && asprintf(&path, "%s/.local/share/jupyter", home) < 0)
		return NULL;
	return path;
}

char *kernel_spec_own(const char *name, struct failure *failure)
{
	cleanup_free char *data = own_data();
	char *path;
	if (!data) {
		failure_set(failure, STATUS_FAILED, "cannot find the home folder: %s; set HOME",
			    strerror(errno));
		return NULL;
	}
	if (asprintf(&path, "%s/kernels/%s", data, name) < 0) {
		failure_memory(failure);
		return NULL;
	}
	return path;
}

bool kernel_spec_name(const char *name)
{
	return *name && *name != '.' && strlen(name) <= 128 &&
	       name[strspn(name,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ==
		       '\0';
}

static bool is_argv(const cJSON *argv)
{
	for (const cJSON *word = argv ? argv->child : NULL; word; word = word->next)
		if (!cJSON_IsString(word))
			return false;
	return cJSON_IsArray(argv) && cJSON_GetArraySize(argv) > 0;
}

/* 1: read; 0: there is none; -1 with failure. Takes data, the folder above kernels/. */
static int try_folder(struct kernel_spec *spec, char *data, const char *name,
		      struct failure *failure)
{
	cleanup_free char *mine = data, *path = NULL, *text = calloc(1, LARGEST);
	if (!mine)
		return 0;
	if (!text || asprintf(&spec->folder, "%s/kernels/%s", mine, name) < 0 ||
	    asprintf(&path, "%s/kernel.json", spec->folder) < 0)
		return failure_memory(failure);
	FILE *file = fopen(path, "re");
	if (!file && (errno == ENOENT || errno == ENOTDIR)) {
		kernel_spec_finish(spec);
		return 0;
	}
	if (!file)
		return failure_set(failure, STATUS_FAILED, "cannot read %s: %s", path,
				   strerror(errno));
	size_t len = fread(text, 1, LARGEST, file);
	fclose(file);
	spec->json = len < LARGEST ? json_parse(text, len) : NULL;
	if (!spec->json || !is_argv(json_at(spec->json, "argv")))
		return failure_set(failure, STATUS_FAILED,
				   "%s is not the description of a Jupyter kernel (no argv); "
				   "install that kernel "
				   "again, or name another with --kernel",
				   path);
	return 1;
}

/* Each folder of JUPYTER_PATH, as try_folder(). */
static int try_path(struct kernel_spec *spec, const char *name, struct failure *failure)
{
	cleanup_free char *path = under("JUPYTER_PATH", "");
	int found = 0;
	for (char *rest = path, *folder; !found && rest && (folder = strsep(&rest, ":"));)
		if (*folder)
			found = try_folder(spec, strdup(folder), name, failure);
	return found;
}

int kernel_spec_find(struct kernel_spec *spec, const char *name, struct failure *failure)
{
	*spec = (struct kernel_spec){0};
	int found = try_path(spec, name, failure);
	static const char *const variables[] = {"VIRTUAL_ENV", "CONDA_PREFIX"};
	static const char *const machine[] = {"/usr/local/share/jupyter", "/usr/share/jupyter"};
	if (!found)
		found = try_folder(spec, own_data(), name, failure);
	for (size_t i = 0; !found && i < 2; i++)
		found = try_folder(spec, under(variables[i], "/share/jupyter"), name, failure);
	for (size_t i = 0; !found && i < 2; i++)
		found = try_folder(spec, strdup(machine[i]), name, failure);
	if (found == 0)
		failure_set(failure, STATUS_FAILED,
			    "there is no Jupyter kernel " TEXT_WORD
			    "; `jupyter kernelspec list` lists those that "
			    "there are: name one with --kernel",
			    name);
	if (found <= 0)
		kernel_spec_finish(spec);
	return found > 0 ? 0 : -1;
}

void kernel_spec_finish(struct kernel_spec *spec)
{
	free(spec->folder);
	cJSON_Delete(spec->json);
	*spec = (struct kernel_spec){0};
}
