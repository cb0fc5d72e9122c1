#ifndef GS_HAND_SERVE_H
#define GS_HAND_SERVE_H

/* The keeper's side of its hand (hand.h): the process or thread that does what is asked. */

#include "supervisor/process/keeper.h"

/* For the keeper: see that there is a hand while something is asked. */
void hand_look_after(struct keeper *keeper);

/* For the keeper: does it sleep in a call? Give it up: the supervisor gets -ETIMEDOUT. */
bool hand_sleeps(const struct keeper *keeper);
void hand_give_up(struct keeper *keeper);

/* For the keeper: end it, if it is a process. */
void hand_end(struct keeper *keeper);

/* For a keeper in the place of another: there is none. */
void hand_adopt(struct state *state);

/* Do what is asked, if anything is: the hand's work, in the caller. */
void hand_serve(struct state *state);

#endif
