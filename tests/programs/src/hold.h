#ifndef GS_TESTS_HOLD_H
#define GS_TESTS_HOLD_H

/*
 * An attacker: it makes calls whose descriptors, memory or sockets are such that whoever looks at
 * them is held up, for as long as it likes. All of it is its own: files of a FUSE server that does
 * not answer, in a user namespace; memory that is never filled in; locks of sockets. When the
 * server ends, everything is let go. Nothing outlives the main thread, and that is bounded in time.
 */

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOLD_PAGE    4096
#define HOLD_THREADS 256 /* at most */
#define HOLD_GRACE   10  /* seconds for the end */
#define HOLD_START   30  /* seconds that it waits to be told to go */
#define HOLD_SKIP    77  /* exit status: it cannot be tried here */

struct hold {
	double seconds;
	unsigned threads;
	uint16_t port;          /* a tunnel's listening port */
	struct sockaddr_in to;  /* an address of ours that leads to a tunnel; family 0: none */
	struct sockaddr_in bad; /* the same, to an access point that refuses after a moment */
	const char *device;     /* /dev/fuse, or a node like it */
	bool async;     /* READs are answered in the background: their waits can be killed */
	unsigned count; /* sockets closed by one attempt */
	unsigned uid;   /* root: whose FUSE file it is, and who to be */
	char *self;     /* the program's file */
};

extern struct hold hold;

/* --- hold_fuse.c --- */

/* Requests that are not answered, any of them, from when the bit is set. */
enum { HELD_OPEN = 1, HELD_READ = 2, HELD_WRITE = 4, HELD_FLUSH = 8 };

/* Have /etc/hosts be a file of a FUSE server, which is a child and ends with the thread that calls
 * this: in a user namespace, or, where this is root, as fusermount(1) does it for a user, who this
 * is from then on. Ends the program with HOLD_SKIP where that is not allowed. */
void fuse_start(void);

void fuse_hold(unsigned which);

/* End the server and wait for it: all requests fail. */
void fuse_stop(void);

/* The file, opened another time, or -1. direct: past the page cache. */
int fuse_open(int flags, bool direct);

/* Memory of the file that nobody has touched yet. */
void *fuse_page(void);

/* --- hold_memory.c, hold_socket.c, hold_process.c: one attempt each --- */

struct attack {
	const char *name;
	void (*prepare)(void);            /* once, in the main thread; or NULL */
	void (*attempt)(unsigned thread); /* by as many threads as asked, in a loop */
	unsigned pause_us;                /* between attempts */
};

extern const struct attack memory_attacks[], socket_attacks[], process_attacks[];

/* A listening socket at the tunnel's port, shared by all (SO_REUSEPORT), or at another one. */
int hold_listener(uint16_t port, int flags);

/* Two ends of a connection on loopback; small: with as little room as can be. */
void hold_pair(int ends[2], bool small);

void hold_nap(unsigned us);
_Noreturn void hold_fail(const char *what);
_Noreturn void hold_skip(const char *what);

/* A child of this thread that ends with it, as fork(). */
int hold_fork(void);

#endif
