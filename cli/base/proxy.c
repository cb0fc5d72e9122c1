#include "cli/base/proxy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The host of a URL: where it starts, and its length. */
static const char *host_of(const char *url, size_t *len)
{
	const char *start = strstr(url, "://");
	start = start ? start + 3 : url;
	const char *end = start + strcspn(start, "/?#");
	for (const char *at = start; at < end; at++)
		if (*at == '@')
			start = at + 1;
	if (*start == '[') {
		*len = strcspn(++start, "]");
		return start;
	}
	*len = strcspn(start, ":/?#");
	return start;
}

/* Whether one entry of NO_PROXY stands for the host: it, or a domain that it is in. */
static bool covers(const char *entry, size_t entry_len, const char *host, size_t len)
{
	if (entry_len == 1 && *entry == '*')
		return true;
	/* a range of addresses, which newer libcurls understand */
	if (isdigit((unsigned char)*host) && memchr(entry, '/', entry_len))
		return true;
	if (entry_len && *entry == '.') {
		entry++;
		entry_len--;
	}
	return entry_len && entry_len <= len &&
	       strncasecmp(host + len - entry_len, entry, entry_len) == 0 &&
	       (entry_len == len || host[len - entry_len - 1] == '.');
}

static bool is_excluded(const char *url)
{
	const char *list = getenv("no_proxy");
	size_t len;
	const char *host = host_of(url, &len);
	if (!list)
		list = getenv("NO_PROXY");
	for (const char *at = list ? list : ""; *at;) {
		size_t entry = strcspn(at, ", ");
		if (covers(at, entry, host, len))
			return true;
		at += entry;
		at += strspn(at, ", ");
	}
	return false;
}

bool proxy_find(const char *url, struct proxy *proxy)
{
	static const char *const of_https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy",
					       "ALL_PROXY", NULL};
	/* HTTP_PROXY may come from a request's header, where CGI runs: libcurl leaves it alone. */
	static const char *const of_http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
	const char *const *name = strncasecmp(url, "https:", 6) ? of_http : of_https;
	for (; *name; name++) {
		const char *value = getenv(*name);
		if (value && *value) {
			*proxy = (struct proxy){*name, value};
			return !is_excluded(url);
		}
	}
	return false;
}

void proxy_describe(const char *url, char text[PROXY_TEXT_MAX])
{
	struct proxy proxy;
	text[0] = '\0';
	if (!proxy_find(url, &proxy))
		return;
	const char *scheme = strstr(proxy.value, "://");
	const char *secret = strrchr(proxy.value, '@');
	int kept = scheme ? (int)(scheme + 3 - proxy.value) : 0;
	snprintf(text, PROXY_TEXT_MAX, "%.*s%.200s (%s)", kept, proxy.value,
		 secret ? secret + 1 : proxy.value + kept, proxy.variable);
}
