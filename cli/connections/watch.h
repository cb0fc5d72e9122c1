#ifndef GS_WATCH_H
#define GS_WATCH_H

#include "cli/connections/survey.h"

/* Whether stdin and stdout are a terminal that can show a screen. */
bool watch_is_possible(void);

/* Show the connections on a screen that is drawn again each second, until the user or a signal ends
 * it. 0, or -1 with cli->failure. */
int watch_run(struct cli *cli, struct survey *survey, struct places *places);

#endif
