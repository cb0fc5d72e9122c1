#ifndef GS_PROXY_H
#define GS_PROXY_H

#include <stddef.h>

#define PROXY_TEXT_MAX 256

/* The proxy that libcurl takes for a URL from the environment (its manual's "Environment":
 * http_proxy, HTTPS_PROXY, ALL_PROXY, NO_PROXY …; ranges of addresses in NO_PROXY are not
 * understood), for messages: "http://proxy:3128 (https_proxy)", without a user name and password.
 * text is empty where there is none. */
void proxy_describe(const char *url, char text[PROXY_TEXT_MAX]);

#endif
