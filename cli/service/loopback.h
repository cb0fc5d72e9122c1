#ifndef GS_LOOPBACK_H
#define GS_LOOPBACK_H

/* Catching a login's code: the browser is redirected to a port on this machine's loopback. */

#include <stddef.h>
#include <stdint.h>

#define LOOPBACK_CODE_MAX 512

/* Listen on a port of 127.0.0.1: a descriptor and *port, or -errno. */
int loopback_listen(uint16_t *port);

/* Wait, at most seconds, for the request with the code and our state; others get 404. 0 with
 * code, -ETIMEDOUT, -EACCES: the login was refused (code: the reason), or -errno. */
int loopback_catch(int fd, const char *state, unsigned seconds, char code[LOOPBACK_CODE_MAX]);

/* The value of a parameter in "/?name=value&…", decoded, of at most size - 1 bytes: 0, -ENOENT,
 * or -EINVAL if it is too long or has bytes that no code has. */
int loopback_parameter(const char *target, const char *name, char *value, size_t size);

#endif
