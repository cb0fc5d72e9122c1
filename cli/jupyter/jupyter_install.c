#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/place.h"
#include "cli/base/text.h"
#include "cli/command/command.h"
#include "cli/command/environment.h"
#include "cli/jupyter/kernel_spec.h"
#include "cli/service/json.h"
#include "cli/service/output.h"

/* jupyter install: a kernel for Jupyter like one that is there, started by globus-streams-run. */

#define LAUNCHER "globus-streams-run"

struct values {
	const char *base_dir, *kernel, *name;
	bool force;
};

static const struct option_spec options[] = {
	{0, "kernel", "NAME", "the kernel to run (default python3)", OPTION_TEXT,
	 offsetof(struct values, kernel)},
	{0, "name", "NAME", "the new kernel's name (default KERNEL-tunnel-ID)", OPTION_TEXT,
	 offsetof(struct values, name)},
	{0, "force", NULL, "replace a kernel of that name", OPTION_FLAG,
	 offsetof(struct values, force)},
	OPTION_BASE_DIR(struct values),
	{0},
};

struct job {
	const struct values *values;
	struct environment environment;
	struct kernel_spec spec;
	char *name, *folder, *path;
};

static int check_names(struct cli *cli, struct job *job)
{
	const struct values *values = job->values;
	const char *wrong = !kernel_spec_name(values->kernel)                 ? values->kernel
			    : values->name && !kernel_spec_name(values->name) ? values->name
									      : NULL;
	if (wrong)
		return failure_set(
			&cli->failure, STATUS_USAGE,
			"'" TEXT_WORD
			"' is not a kernel's name; use letters, digits, '.', '_' and '-'",
			wrong);
	int len = values->name ? asprintf(&job->name, "%s", values->name)
			       : asprintf(&job->name, "%s-tunnel-%.8s", values->kernel,
					  job->environment.id);
	if (len < 0)
		return failure_memory(&cli->failure);
	job->folder = kernel_spec_own(job->name, &cli->failure);
	if (!job->folder)
		return -1;
	if (asprintf(&job->path, "%s/kernel.json", job->folder) < 0)
		return failure_memory(&cli->failure);
	if (access(job->path, F_OK) == 0 && !values->force)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"%s already exists; to replace it, use --force, or give another --name",
			job->path);
	return 0;
}

/* Jupyter replaces {resource_dir} by the folder of the kernel.json; it is to stay that of the
 * kernel. */
static char *with_folder(const char *word, const char *folder)
{
	static const char mark[] = "{resource_dir}";
	const char *at = strstr(word, mark);
	char *out = NULL;
	int len = at ? asprintf(&out, "%.*s%s%s", (int)(at - word), word, folder, at + strlen(mark))
		     : asprintf(&out, "%s", word);
	return len < 0 ? NULL : out;
}

static int add(cJSON *argv, const char *word)
{
	return word && cJSON_AddItemToArray(argv, cJSON_CreateString(word)) ? 0 : -1;
}

/* The launcher and its words in front of the kernel's own. */
static cJSON *argv_of(struct cli *cli, const struct job *job)
{
	const cJSON *old = json_at(job->spec.json, "argv");
	cleanup_free char *launcher = place_beside_us(LAUNCHER);
	cJSON *argv = cJSON_CreateArray();
	int err = add(argv, launcher) | add(argv, "--base-dir") | add(argv, job->environment.base) |
		  add(argv, job->environment.id) | add(argv, "--");
	for (const cJSON *word = old->child; !err && word; word = word->next) {
		cleanup_free char *full = with_folder(word->valuestring, job->spec.folder);
		err = add(argv, full);
	}
	if (!err)
		return argv;
	cJSON_Delete(argv);
	failure_memory(&cli->failure);
	return NULL;
}

static bool is_launched(const cJSON *json)
{
	const char *first = json_at(json, "argv")->child->valuestring;
	const char *slash = strrchr(first, '/');
	return strncmp(slash ? slash + 1 : first, LAUNCHER, strlen(LAUNCHER)) == 0;
}

static int compose(struct cli *cli, struct job *job)
{
	cJSON *json = job->spec.json;
	const char *shown = json_text(json, "display_name");
	char name[256];
	if (is_launched(json))
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"the kernel %s is one that runs under globus-streams-run already; name its "
			"original with --kernel",
			job->values->kernel);
	cJSON *argv = argv_of(cli, job);
	if (!argv)
		return -1;
	snprintf(name, sizeof(name), "%.200s (tunnel %.8s)", shown ? shown : job->values->kernel,
		 job->environment.id);
	cJSON_ReplaceItemInObjectCaseSensitive(json, "argv", argv);
	cJSON_DeleteItemFromObjectCaseSensitive(json, "display_name");
	return cJSON_AddStringToObject(json, "display_name", name) ? 0
								   : failure_memory(&cli->failure);
}

static int store(struct cli *cli, const struct job *job)
{
	char *text = cJSON_Print(job->spec.json);
	int err = text ? file_make_folder(job->folder) : -ENOMEM;
	if (!err)
		err = file_replace(job->path, text, strlen(text));
	cJSON_free(text);
	return err < 0 ? failure_set(&cli->failure, STATUS_FAILED, "cannot write %s: %s", job->path,
				     strerror(-err))
		       : 0;
}

static void print(const struct cli *cli, const struct job *job)
{
	if (!cli->json) {
		output_line("Kernel %s is installed in %s", job->name, job->folder);
		output_line("To remove it: jupyter kernelspec remove %s", job->name);
		return;
	}
	cJSON *object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "tunnel_id", job->environment.id);
	cJSON_AddStringToObject(object, "kernel", job->name);
	cJSON_AddStringToObject(object, "file", job->path);
	output_json(object);
	cJSON_Delete(object);
}

static int run(struct cli *cli, const void *given, char **words)
{
	struct job job = {.values = given};
	int err = environment_init(&job.environment, cli, job.values->base_dir, words[0]);
	if (!err && (environment_read(&job.environment, cli) < 0 ||
		     environment_check(&job.environment, cli) < 0 || check_names(cli, &job) < 0 ||
		     kernel_spec_find(&job.spec, job.values->kernel, &cli->failure) < 0 ||
		     compose(cli, &job) < 0 || store(cli, &job) < 0))
		err = -1;
	if (!err)
		print(cli, &job);
	kernel_spec_finish(&job.spec);
	free(job.name);
	free(job.folder);
	free(job.path);
	environment_finish(&job.environment);
	return err;
}

const struct command jupyter_install_command = {
	.name = "install",
	.words = "TUNNEL_ID",
	.summary = "add a kernel that runs under globus-streams-run",
	.words_min = 1,
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.defaults = &(const struct values){.kernel = "python3"},
	.run = run,
};
