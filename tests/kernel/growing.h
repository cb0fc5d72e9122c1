#ifndef GS_TEST_GROWING_H
#define GS_TEST_GROWING_H

/* A call whose program's descriptor table grows again and again meanwhile, by ADDFD, while signals
 * come. */

#include "tests/kernel/watch.h"

struct growing {
	struct watched watched;
	struct seccomp_notif notif;
	pid_t grower;
};

/* Begin; the caller gets SIGALRM every 200 microseconds. */
void growing_begin(struct growing *growing);

/* Does it still grow? */
bool growing_goes_on(struct growing *growing);

/* No signals any more. The call is still to be answered; growing_end() waits for its program. */
void growing_stop(void);
void growing_end(struct growing *growing);

#endif
