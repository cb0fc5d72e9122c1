#ifndef GW_HTTP_H
#define GW_HTTP_H

/*
 * The HTTP server. It runs on the loop: a request is read, handed to its route (routes.h), and
 * answered; when the route changed the store, only once that is on the disk.
 */

#include "contrib/gateway/state/gateway.h"

#define HTTP_BODY_MAX    (64 * 1024)
#define HTTP_CLIENTS_MAX 256 /* connections */
#define HTTP_IDLE        60  /* s until a connection that says nothing is closed */

struct http;

/* Serve at a listening socket, which is then the server's. NULL: it cannot, or no memory. */
struct http *http_create(struct gateway *gateway, int fd);

/* All who wait for an answer must have been told, by saver_flush(). */
void http_destroy(struct http *http);

#endif
