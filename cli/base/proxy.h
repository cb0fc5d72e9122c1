#ifndef GS_PROXY_H
#define GS_PROXY_H

#include <stdbool.h>

#define PROXY_TEXT_MAX 256

struct proxy {
	const char *variable, *value; /* of the environment */
};

/* The proxy that libcurl takes for a URL from the environment (its manual's "Environment":
 * http_proxy, HTTPS_PROXY, ALL_PROXY, NO_PROXY ...). False: none, or NO_PROXY has a range of
 * addresses, in which the host might be. */
bool proxy_find(const char *url, struct proxy *proxy);

/* The same for messages: "http://proxy:3128 (https_proxy)", without a user name and password.
 * text is empty where there is none. */
void proxy_describe(const char *url, char text[PROXY_TEXT_MAX]);

#endif
