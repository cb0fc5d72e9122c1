#ifndef GS_HTTP_H
#define GS_HTTP_H

/*
 * HTTP requests, one after another over connections that are kept: certificates checked, proxies
 * from the environment, redirects not followed, answers of at most 8 MiB. Five retries on transport
 * errors and 429, 500, 502, 503, 504 (unless the body tells that it would be in vain), after min(10
 * s, (0.25 + 0.5·random)·2^n) or the Retry-After (at most 10 s), as the Globus SDK does.
 * GLOBUS_SDK_HTTP_TIMEOUT (seconds, 60; -1 for none) limits one try, GLOBUS_SDK_VERIFY_SSL is a
 * boolean word or a CA file.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/base/failure.h"

#define HTTP_BODY_MAX (8 * 1024 * 1024)
#define HTTP_RETRIES  5

struct http;
struct http_response;

struct http_request {
	const char *service; /* who is asked, for messages: "Transfer" */
	const char *method, *url;
	const char *bearer;          /* an access token, or NULL */
	const char *user, *password; /* Basic authentication, or NULL */
	const char *type, *body;     /* content type and text, or NULL */
	/* Whether an answer with such a status is final all the same; NULL: it never is. */
	bool (*is_final)(const struct http_response *response);
};

struct http_response {
	long status;
	char *body; /* NUL-terminated; may hold secrets */
	size_t len;
	int tries;
	int64_t date; /* its Date, epoch s; 0: none */
};

/* Loads libcurl. NULL with failure. */
struct http *http_create(struct failure *failure);
void http_destroy(struct http *http);

/* Make a request, with its retries. 0 with the last status, whatever it is; -1 with failure if
 * no answer came: the response is empty then, else http_response_finish() it. */
int http_perform(struct http *http, const struct http_request *request,
		 struct http_response *response, struct failure *failure);
void http_response_finish(struct http_response *response);

/* Build "name=value&…" from pairs of name and value, ended by NULL, percent-encoded; pairs whose
 * value is NULL are left out. To be wiped and freed. NULL: no memory. */
char *http_form(struct http *http, const char *const *pairs);

#endif
