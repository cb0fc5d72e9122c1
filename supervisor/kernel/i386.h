#ifndef GS_I386_H
#define GS_I386_H

/* i386's numbers of system calls, which no header has in a 64-bit build. */
enum {
	I386_OPEN = 5,
	I386_SOCKETCALL = 102,
	I386_OPENAT = 295,
	I386_BIND = 361,
	I386_CONNECT = 362,
	I386_LISTEN = 363,
	I386_ACCEPT4 = 364,
	I386_GETSOCKOPT = 365,
	I386_SENDTO = 369,
	I386_LANDLOCK_RESTRICT_SELF = 446
};

#endif
