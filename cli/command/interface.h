#ifndef GS_INTERFACE_H
#define GS_INTERFACE_H

/* Whether a host (a name or an address) is this machine, by the addresses of its interfaces: 1, 0,
 * or an error of getaddrinfo(3), which is negative. Where the interfaces cannot be read, 1. */
int interface_has(const char *host);

#endif
