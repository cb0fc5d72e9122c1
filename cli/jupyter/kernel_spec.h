#ifndef GS_KERNEL_SPEC_H
#define GS_KERNEL_SPEC_H

/* Kernel specs of Jupyter: <folder>/kernels/<name>/kernel.json. Where the folders are: "Data files"
 * in the documentation of jupyter_core; what is in the file: "Kernel specs" in that of
 * jupyter_client. */

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "cli/base/failure.h"

struct kernel_spec {
	char *folder; /* in which kernel.json lies */
	cJSON *json;  /* an object with an argv of texts, at least one */
};

/* Find the first of that name, as Jupyter does: the user's, that of the virtual environment, the
 * machine's. 0, or -1 with failure. */
int kernel_spec_find(struct kernel_spec *spec, const char *name, struct failure *failure);
void kernel_spec_finish(struct kernel_spec *spec);

/* The folder of the user's own kernel of that name. Free it; NULL with failure. */
char *kernel_spec_own(const char *name, struct failure *failure);

/* May a kernel be called so? */
bool kernel_spec_name(const char *name);

#endif
