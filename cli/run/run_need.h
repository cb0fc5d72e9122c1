#ifndef GS_RUN_NEED_H
#define GS_RUN_NEED_H

#include <stdbool.h>

#include "protocol/control.h"

/* One line: a call that redirecting needs fails here with this errno, and how it is allowed in
 * docker, podman, systemd and nspawn. served: not to us, but to the supervisor that --attach names.
 */
void run_explain_need(enum need need, int error, bool served);

#endif
