#ifndef GS_ACCOUNTING_H
#define GS_ACCOUNTING_H

#include "cli/connections/survey.h"

/* Append a line of JSON to the file for each connection of the tunnels that ends, until a signal
 * ends the program; SIGHUP opens the file again. -1 with cli->failure. */
int accounting_run(struct cli *cli, struct survey *survey, struct places *places, const char *path);

#endif
