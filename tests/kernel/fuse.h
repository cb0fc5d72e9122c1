#ifndef GS_TEST_FUSE_H
#define GS_TEST_FUSE_H

/* A file of a FUSE server that leaves out answers: what waits for them. */

#include <stdbool.h>
#include <sys/types.h>

enum { UNANSWERED_READ = 1, UNANSWERED_FLUSH = 2 };

/* Start the server, before believe(): root has the rights to mount then. async: reads are answered
 * in the background (FUSE_ASYNC_READ). Where it cannot be, fuse_open() skips. */
void fuse_serve(unsigned unanswered, bool async);

/* The file, of 1 MiB. */
int fuse_open(void);

/* A page of it, mapped and not touched. */
void *fuse_page(void);

/* End the server: whatever waits fails. */
void fuse_end(void);

/* Run body(arg) in a child, until it waits where no signal ends it; kill it in vain. fuse_end()
 * lets it go. */
pid_t start_unkillable(const char *what, int (*body)(void *), void *arg);

#endif
