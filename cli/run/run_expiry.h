#ifndef GS_RUN_EXPIRY_H
#define GS_RUN_EXPIRY_H

/* A tunnel whose conf file says that its time has passed: the file may be wrong
 * (globus-streams.conf (5)), so Transfer is asked, by running globus-streams. */

#include <stdint.h>

/* Whether a launch may go on with the tunnel: 0, or the exit status after a message. Where Transfer
 * cannot be asked, a warning, and it may: if the tunnel has ended, its access point refuses.
 * cli: the program; base: the folder of the conf file; expiration: its time, 0: not known. */
int run_expiry_check(const char *cli, const char *base, const char *id, int64_t expiration);

#endif
