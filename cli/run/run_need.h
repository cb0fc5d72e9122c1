#ifndef GS_RUN_NEED_H
#define GS_RUN_NEED_H

#include <stdbool.h>

#include "protocol/control.h"

/* Report that a call which redirection needs fails here with this errno, and how to allow it in
 * docker, podman, systemd and nspawn. served: it fails for the supervisor that --attach names. */
void run_explain_need(enum need need, int error, bool served);

#endif
