#ifndef GS_REACH_H
#define GS_REACH_H

/* Which tunnels a program may use: a launch all of those that its supervisor has, now and later; a
 * guest (control.h, CONTROL_GUEST) those that came with it. */

#include "supervisor/base/state_programs.h"

/* All, also those that are added later. */
struct reach reach_all(void);

void reach_add(struct reach *reach, uint32_t tunnel);

/* reach NULL: nobody in particular asks, so yes. */
bool reach_has(const struct reach *reach, uint32_t tunnel);
bool reach_same(const struct reach *a, const struct reach *b);

#endif
