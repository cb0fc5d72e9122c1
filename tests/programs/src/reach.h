#ifndef GS_REACH_H
#define GS_REACH_H

/* What the plugin of reach has: print what host is, and back; 0, or 1 after an error. */
typedef int reach_fn(const char *host, const char *port);
reach_fn reach_new, reach_old;

#endif
