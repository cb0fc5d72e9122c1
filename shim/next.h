#ifndef GS_SHIM_NEXT_H
#define GS_SHIM_NEXT_H

/* A program may have been linked without any libc: the shim must load there too, though it is not
 * called. So all symbols that it uses from libc are weak. */
#pragma weak __errno_location
#pragma weak __h_errno_location
#pragma weak fdopen
#pragma weak freeaddrinfo
#pragma weak inet_aton
#pragma weak inet_ntop
#pragma weak memchr
#pragma weak snprintf
#pragma weak strchr
#pragma weak strcmp
#pragma weak strlen
#pragma weak strncmp
#pragma weak strnlen
#pragma weak syscall

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The functions that the shim stands in front of: libc's, or another preloaded library's. The shim
 * names no library that it needs, so that glibc and musl of any age can load it; it finds dlsym()
 * where that is.
 */

#include <stdatomic.h>

#define EXPORT __attribute__((visibility("default")))

struct next {
	const char *name;
	_Atomic(void *) found; /* NULL: not looked for yet */
};

/* The next definition of next->name after the shim's, or NULL where there is none. Looked up once;
 * two threads that look at once find the same. errno stays as it was. */
void *next_find(struct next *next);

#endif
