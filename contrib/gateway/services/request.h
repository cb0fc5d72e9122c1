#ifndef GW_REQUEST_H
#define GW_REQUEST_H

/* A request as its route sees it, and the answer that the route gives. */

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "contrib/gateway/state/gateway.h"

#define REQUEST_PARTS 2  /* of its path that are filled in: /v2/tunnels/{} has one */
#define BASE_URL_MAX  80 /* http://address:port */

struct MHD_Connection;

/* Which service it is for, which decides what an error looks like. */
enum service { SERVICE_AUTH, SERVICE_TRANSFER_V2, SERVICE_TRANSFER_V010, SERVICE_GCS };

struct request {
	struct MHD_Connection *connection;
	char *method, *path;
	enum service service;
	char parts[REQUEST_PARTS][UUID_TEXT + 1]; /* UUIDs, in lower case */
	char *body;                               /* NUL-terminated */
	size_t body_len;
	const struct token *token; /* for a route that needs one */
};

struct answer {
	unsigned int status;
	cJSON *json; /* the body, */
	char *text;  /* or this, as text/plain; both are owned by the answer */
	char *location;
	const char *authenticate; /* WWW-Authenticate; static */
};

/* A parameter of the query, decoded; NULL: it is not there. */
const char *request_query(const struct request *request, const char *name);
const char *request_header(const struct request *request, const char *name);

/* The address by which the client reached us, which is one that it can use; port 0. */
void request_local_address(const struct request *request, union address *address);

/* The URL of this gateway, as the client reached it; no slash at its end. */
void request_base_url(const struct gateway *gateway, const struct request *request,
		      char url[BASE_URL_MAX]);

#endif
