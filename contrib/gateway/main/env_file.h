#ifndef GW_ENV_FILE_H
#define GW_ENV_FILE_H

/* DIR/env: what a shell sources to use this gateway in place of Globus. */

#include "contrib/gateway/state/gateway.h"

#define ENV_FILE    "env"
#define ENV_URL_MAX 80

/* 0 or -errno. */
int env_file_write(const struct gateway *gateway, const struct state_dir *dir);

/* The URL of the gateway for programs on this machine. */
void env_file_url(const union address *address, char url[ENV_URL_MAX]);

#endif
